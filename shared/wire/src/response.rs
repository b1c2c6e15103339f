//! Answers, and the form in which API Gateway takes them.

use lambda_http::aws_lambda_events::apigw::ApiGatewayProxyResponse;
use lambda_http::http::header::CONTENT_TYPE;
use lambda_http::http::{HeaderValue, StatusCode};
use lambda_http::{Body, Request};
use serde::Serialize;

use super::request::has_version;
use super::view;

/// An answer to a request.
pub type Response = lambda_http::Response<Body>;

/// What an answer is about: carried in its extensions, for the log.
#[derive(Debug, Clone)]
struct About(String);

/// How endpoints make their answers.
pub trait ApiResponseExt: Sized {
    /// 200 with a body that a cache may keep, but must ask about.
    fn ok(body: &impl Serialize) -> Self;

    /// 201: stored, nothing more to do.
    fn created(body: &impl Serialize, location: String) -> Self;

    /// 202: stored, and work has begun.
    fn accepted(body: &impl Serialize, location: String) -> Self;

    /// The same, of what has no address.
    fn accepted_without_location(body: &impl Serialize) -> Self;

    /// 204: done, nothing to show.
    fn no_content() -> Self;

    /// Sets a header. A value that no header may have is left out.
    ///
    /// # Panics
    ///
    /// If the name is no header's.
    #[must_use]
    fn with_header(self, name: &'static str, value: impl AsRef<str>) -> Self;

    /// Sets the version of what is shown.
    #[must_use]
    fn with_version(self, etag: impl AsRef<str>) -> Self;

    /// This answer with the version of what it shows, or 304 in its place if the client has that version already.
    #[must_use]
    fn at_version(self, version: u64, request: &Request) -> Self;

    /// A balance, for example, must never be shown from a cache.
    #[must_use]
    fn never_cached(self) -> Self;

    /// It will never change any more.
    #[must_use]
    fn final_for_this_client(self) -> Self;

    /// Marks the answer to a repeated request.
    #[must_use]
    fn replayed(self, replayed: bool) -> Self;

    /// What it is about, for the log.
    #[must_use]
    fn about(self, id: &str) -> Self;
}

impl ApiResponseExt for Response {
    fn ok(body: &impl Serialize) -> Response {
        json(StatusCode::OK, "application/json", body).with_header("cache-control", "no-cache")
    }

    fn created(body: &impl Serialize, location: String) -> Response {
        json(StatusCode::CREATED, "application/json", body).with_header("location", location)
    }

    fn accepted(body: &impl Serialize, location: String) -> Response {
        Response::accepted_without_location(body).with_header("location", location)
    }

    fn accepted_without_location(body: &impl Serialize) -> Response {
        json(StatusCode::ACCEPTED, "application/json", body)
    }

    fn no_content() -> Response {
        let mut response = Response::new(Body::Empty);
        *response.status_mut() = StatusCode::NO_CONTENT;
        response
    }

    fn with_header(mut self, name: &'static str, value: impl AsRef<str>) -> Response {
        if let Ok(value) = HeaderValue::from_str(value.as_ref()) {
            self.headers_mut().insert(name, value);
        }
        self
    }

    fn with_version(self, etag: impl AsRef<str>) -> Response {
        self.with_header("etag", etag)
    }

    fn at_version(self, version: u64, request: &Request) -> Response {
        let etag = view::etag(version);
        let is_known = has_version(request, &etag);
        let response = self.with_version(etag);
        if is_known { not_modified(response) } else { response }
    }

    fn never_cached(self) -> Response {
        self.with_header("cache-control", "no-store")
    }

    fn final_for_this_client(self) -> Response {
        self.with_header("cache-control", "private, max-age=86400, immutable")
    }

    fn replayed(self, replayed: bool) -> Response {
        if replayed { self.with_header("idempotent-replayed", "true") } else { self }
    }

    fn about(mut self, id: &str) -> Response {
        self.extensions_mut().insert(About(id.to_owned()));
        self
    }
}

/// 304: the headers are those of this answer, so that caches keep it as long (RFC 9110, section 15.4.5), but for those
/// of the body that it does not have.
fn not_modified(mut response: Response) -> Response {
    *response.status_mut() = StatusCode::NOT_MODIFIED;
    *response.body_mut() = Body::Empty;
    response.headers_mut().remove(CONTENT_TYPE);
    response
}

/// A refusal, which no cache keeps.
pub(super) fn problem(status: StatusCode, body: &impl Serialize) -> Response {
    json(status, "application/problem+json", body).never_cached()
}

fn json(status: StatusCode, content_type: &'static str, body: &impl Serialize) -> Response {
    // What is rendered is made of texts and numbers: writing it to memory can't fail.
    let body = serde_json::to_string(body).unwrap_or_default();
    let mut response = Response::new(Body::Text(body));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    response
}

/// What an answer is about. None if nothing was named.
pub fn subject(response: &Response) -> Option<&str> {
    response.extensions().get::<About>().map(|about| about.0.as_str())
}

/// The answer as API Gateway's proxy integration takes it, with the id of its request.
pub fn render(response: Response, request_id: &str) -> ApiGatewayProxyResponse {
    let (parts, body) = response.with_header("request-id", request_id).into_parts();
    let mut rendered = ApiGatewayProxyResponse::default();
    rendered.status_code = i64::from(parts.status.as_u16());
    rendered.multi_value_headers = parts.headers;
    rendered.is_base64_encoded = matches!(body, Body::Binary(_));
    rendered.body = (!matches!(body, Body::Empty)).then_some(body);
    rendered
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn not_modified_keeps_the_headers_that_are_not_of_the_body() {
        let shown = Response::ok(&"x").final_for_this_client().with_version("\"2\"").about("pay_1");
        let answer = not_modified(shown);
        assert_eq!(subject(&answer), Some("pay_1"));
        let headers = serde_json::json!({"cache-control": ["private, max-age=86400, immutable"], "etag": ["\"2\""],
            "request-id": ["r"]});
        let expected = serde_json::json!({"statusCode": 304, "headers": {}, "multiValueHeaders": headers,
            "isBase64Encoded": false});
        assert_eq!(serde_json::to_value(render(answer, "r")).unwrap(), expected);
    }

    #[test]
    fn an_answer_has_its_body_as_text_and_each_header_once() {
        let answer = Response::accepted(&"é", "/v1/payments/pay_1".to_owned()).never_cached().never_cached();
        let rendered = serde_json::to_value(render(answer, "r")).unwrap();
        assert_eq!((&rendered["statusCode"], &rendered["body"]), (&202.into(), &"\"é\"".into()));
        assert_eq!(rendered["multiValueHeaders"]["location"], serde_json::json!(["/v1/payments/pay_1"]));
        assert_eq!(rendered["multiValueHeaders"]["cache-control"], serde_json::json!(["no-store"]));
    }

    #[test]
    fn a_value_that_no_header_may_have_is_left_out() {
        let answer = Response::ok(&"x").with_header("location", "a\nb");
        assert_eq!((answer.status(), answer.headers().get("location")), (StatusCode::OK, None));
    }
}
