//! Answers, and their form for API Gateway.

use lambda_http::Body;
use lambda_http::aws_lambda_events::apigw::ApiGatewayProxyResponse;
use lambda_http::http::header::CONTENT_TYPE;
use lambda_http::http::{HeaderValue, StatusCode};
use serde::Serialize;

use super::answer_form::entity_tag;

/// An answer to a request.
pub type Response = lambda_http::Response<Body>;

/// The ids of an answer, for the log. The answer's extensions carry them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct About {
    /// The id of the object in the answer.
    pub id: String,
    /// Ids of what was written together with the object.
    pub with: Vec<String>,
}

/// Constructors of answers.
pub trait ApiResponseExt: Sized {
    /// 200. Only the client's own cache may store it, and must revalidate it.
    fn ok(body: &impl Serialize) -> Self;

    /// 201: the object is stored, and no work is left.
    fn created(body: &impl Serialize, location: String) -> Self;

    /// 202: the object is stored, and work for it has begun.
    fn accepted(body: &impl Serialize, location: String) -> Self;

    /// 202 for an object without an address.
    fn accepted_without_location(body: &impl Serialize) -> Self;

    /// 204: the request is done.
    fn no_content() -> Self;

    /// Sets a header. An invalid value is left out.
    ///
    /// # Panics
    ///
    /// Panics if the name is not a valid header name.
    #[must_use]
    fn with_header(self, name: &'static str, value: impl AsRef<str>) -> Self;

    /// Sets the header `ETag`.
    #[must_use]
    fn with_version(self, etag: impl AsRef<str>) -> Self;

    /// Sets a weak `ETag` of this part of the body, for a body whose other parts differ in each answer.
    #[must_use]
    fn with_tag_of(self, part: &impl Serialize) -> Self;

    /// Forbids caching, for example of a balance.
    #[must_use]
    fn never_cached(self) -> Self;

    /// Sets `Idempotent-Replayed` if this answers a repeated request.
    #[must_use]
    fn replayed(self, replayed: bool) -> Self;

    /// Sets the id of the answer's object for the log.
    #[must_use]
    fn about(self, id: &str) -> Self;

    /// The same, with the ids of what was written together with the object.
    #[must_use]
    fn about_with(self, id: &str, with: Vec<String>) -> Self;
}

impl ApiResponseExt for Response {
    fn ok(body: &impl Serialize) -> Response {
        json(StatusCode::OK, "application/json", body).with_header("cache-control", "private, no-cache")
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

    fn with_tag_of(self, part: &impl Serialize) -> Response {
        self.with_version(format!("W/{}", entity_tag(&text(part))))
    }

    fn never_cached(self) -> Response {
        self.with_header("cache-control", "no-store")
    }

    fn replayed(self, replayed: bool) -> Response {
        if replayed { self.with_header("idempotent-replayed", "true") } else { self }
    }

    fn about(self, id: &str) -> Response {
        self.about_with(id, Vec::new())
    }

    fn about_with(mut self, id: &str, with: Vec<String>) -> Response {
        self.extensions_mut().insert(About { id: id.to_owned(), with });
        self
    }
}

/// An error answer. It must not be cached.
pub(super) fn problem(status: StatusCode, body: &impl Serialize) -> Response {
    json(status, "application/problem+json", body).never_cached()
}

fn json(status: StatusCode, content_type: &'static str, body: &impl Serialize) -> Response {
    let mut response = Response::new(Body::Text(text(body)));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    response
}

/// The JSON of a view. Views consist of texts and numbers, so serialization to memory can't fail.
fn text(view: &impl Serialize) -> String {
    serde_json::to_string(view).unwrap_or_default()
}

/// The ids of the answer, set by [`ApiResponseExt::about`]. None if they were not set.
pub fn about(response: &Response) -> Option<&About> {
    response.extensions().get()
}

/// The answer in the form of API Gateway's proxy integration, with the header `Request-Id`.
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
    fn render_writes_the_body_as_text_and_each_header_once() {
        let answer = Response::accepted(&"é", "/v1/payments/pay_1".to_owned()).never_cached().never_cached();
        let rendered = serde_json::to_value(render(answer, "r")).unwrap();
        assert_eq!((&rendered["statusCode"], &rendered["body"]), (&202.into(), &"\"é\"".into()));
        assert_eq!(rendered["multiValueHeaders"]["location"], serde_json::json!(["/v1/payments/pay_1"]));
        assert_eq!(rendered["multiValueHeaders"]["cache-control"], serde_json::json!(["no-store"]));
    }

    #[test]
    fn an_invalid_header_value_is_left_out() {
        let answer = Response::ok(&"x").with_header("location", "a\nb");
        assert_eq!((answer.status(), answer.headers().get("location")), (StatusCode::OK, None));
    }
}
