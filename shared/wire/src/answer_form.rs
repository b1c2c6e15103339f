//! What every answer has beside what its handler returns: version, entity tag, rate limit, deprecation.

use lambda_http::http::header::{CONTENT_TYPE, ETAG};
use lambda_http::http::{Method, StatusCode};
use lambda_http::{Body, Request};
use spillway_domain::id::{hash, hex};

use super::contract::Limit;
use super::request::{ApiRequestExt as _, authorizer_value};
use super::response::{ApiResponseExt as _, Response};
use super::tags::Condition;
use super::versions::{ApiVersion, DEPRECATIONS, SHAPE_CHANGES, VERSION_HEADER, in_shape_of, with_deprecation};

/// Bytes of a body's hash in its entity tag.
const TAG_BYTES: usize = 16;

/// The parts of a request that determine the form of its answer.
#[derive(Debug)]
pub struct AnswerForm {
    version: ApiVersion,
    method: Method,
    route: String,
    /// The header `If-None-Match`. None if it is missing or malformed.
    known: Option<Condition>,
    /// The value of `RateLimit-Policy`. "" for a request without an API key.
    policy: String,
}

impl AnswerForm {
    /// The form of the answer to this request. An unknown version counts as the first one.
    pub fn of(request: &Request, limit: Limit) -> AnswerForm {
        let policy = match authorizer_value(request, limit.context_name()) {
            "" => String::new(),
            quota => format!("\"{}\";{quota}", limit.policy_name()),
        };
        AnswerForm {
            version: ApiVersion::of(request).unwrap_or(ApiVersion::FIRST),
            method: request.method().clone(),
            route: request.route().to_owned(),
            known: Condition::of(request, "if-none-match").ok().flatten(),
            policy,
        }
    }

    /// The answer in this form. A 200 to a GET gets a tag, and becomes 304 if the client has this tag already.
    pub fn apply(&self, answer: Response) -> Response {
        let operation = (self.method.as_str(), self.route.as_str());
        let answer = in_shape_of(self.version, operation, answer, SHAPE_CHANGES);
        let is_read = matches!(self.method, Method::GET | Method::HEAD) && answer.status() == StatusCode::OK;
        let answer = if is_read { self.unless_known(tagged(answer)) } else { answer };
        let answer = with_deprecation(operation, answer, DEPRECATIONS);
        let answer = answer.with_header(VERSION_HEADER, self.version.as_str());
        if self.policy.is_empty() { answer } else { answer.with_header("ratelimit-policy", &self.policy) }
    }

    fn unless_known(&self, answer: Response) -> Response {
        let tag = answer.headers().get(ETAG).and_then(|tag| tag.to_str().ok());
        let is_known = self.known.as_ref().zip(tag).is_some_and(|(known, tag)| known.names(tag));
        if is_known { not_modified(answer) } else { answer }
    }
}

/// The answer with a strong tag of its bytes, unless its handler has set a tag.
fn tagged(answer: Response) -> Response {
    match answer.body() {
        Body::Text(text) if !answer.headers().contains_key(ETAG) => {
            let tag = entity_tag(text);
            answer.with_version(tag)
        }
        _ => answer,
    }
}

/// The tag of a text.
pub(super) fn entity_tag(text: &str) -> String {
    format!("\"{}\"", hex(&hash(&[text])[..TAG_BYTES]))
}

/// 304 with the headers of this answer, so that caches apply the same rules (RFC 9110, section 15.4.5), but without
/// body and `Content-Type`.
fn not_modified(mut answer: Response) -> Response {
    *answer.status_mut() = StatusCode::NOT_MODIFIED;
    *answer.body_mut() = Body::Empty;
    answer.headers_mut().remove(CONTENT_TYPE);
    answer
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::{Problem, about, read_request, render};

    fn request(method: &str, headers: Value, authorizer: Value) -> Request {
        let context =
            json!({"httpMethod": method, "requestId": "r", "resourcePath": "/v1/things", "authorizer": authorizer});
        let event = json!({"httpMethod": method, "path": "/v1/things", "headers": headers, "requestContext": context});
        read_request(&event.to_string()).unwrap()
    }

    fn form(method: &str, headers: Value) -> AnswerForm {
        AnswerForm::of(&request(method, headers, json!({})), Limit::Plan)
    }

    fn header<'a>(answer: &'a Response, name: &str) -> &'a str {
        answer.headers().get(name).map(|value| value.to_str().unwrap()).unwrap_or_default()
    }

    /// The first 16 bytes of `printf '\0\0\0\0\0\0\0\3"x"' | sha256sum`.
    const TAG_OF_X: &str = "\"333d7d98cbae3de8855de6edf29a1d19\"";

    #[test]
    fn a_read_answer_has_the_tag_of_its_bytes() {
        let answer = form("GET", json!({})).apply(Response::ok(&"x"));
        assert_eq!((answer.status(), header(&answer, "etag")), (StatusCode::OK, TAG_OF_X));
        let versioned = form("GET", json!({})).apply(Response::ok(&"x").with_version("\"2\""));
        assert_eq!(header(&versioned, "etag"), "\"2\"");
        assert_eq!(header(&form("POST", json!({})).apply(Response::ok(&"x")), "etag"), "");
        let problem = Problem::not_found("thing").into_response("r");
        assert_eq!(header(&form("GET", json!({})).apply(problem), "etag"), "");
    }

    #[test]
    fn a_known_tag_gives_304_with_all_headers_but_content_type() {
        let answer = form("GET", json!({"If-None-Match": "W/\"2\""}))
            .apply(Response::ok(&"x").with_version("\"2\"").about("pay_1"));
        assert_eq!(about(&answer).map(|about| about.id.as_str()), Some("pay_1"));
        let headers = json!({"cache-control": ["private, no-cache"], "etag": ["\"2\""], "request-id": ["r"],
            "spillway-version": ["2026-11-28"]});
        let expected = json!({"statusCode": 304, "headers": {}, "multiValueHeaders": headers,
            "isBase64Encoded": false});
        assert_eq!(serde_json::to_value(render(answer, "r")).unwrap(), expected);
    }

    #[test]
    fn only_a_read_answer_becomes_304() {
        for (method, status) in [("GET", 304), ("HEAD", 304), ("PATCH", 200), ("POST", 200)] {
            let answer = form(method, json!({"If-None-Match": "*"})).apply(Response::ok(&"x").with_version("\"2\""));
            assert_eq!(answer.status(), status, "{method}");
        }
        let problem = Problem::not_found("thing").into_response("r");
        assert_eq!(form("GET", json!({"If-None-Match": "*"})).apply(problem).status(), 404);
        for unknown in ["\"3\"", "2", "\"2"] {
            let answer = form("GET", json!({"If-None-Match": unknown})).apply(Response::ok(&"x").with_version("\"2\""));
            assert_eq!(answer.status(), 200, "{unknown}");
        }
    }

    #[test]
    fn the_policy_is_that_of_the_endpoints_limit() {
        let context = json!({"plan_limit": "q=200;w=2", "list_limit": "q=20;w=1", "balance_limit": "q=30;w=3"});
        let request = request("GET", json!({}), context);
        for (limit, policy) in [
            (Limit::Plan, "\"plan\";q=200;w=2"),
            (Limit::List, "\"route\";q=20;w=1"),
            (Limit::Balance, "\"route\";q=30;w=3"),
        ] {
            let problem = Problem::not_found("thing").into_response("r");
            assert_eq!(header(&AnswerForm::of(&request, limit).apply(problem), "ratelimit-policy"), policy);
        }
        assert_eq!(header(&form("GET", json!({})).apply(Response::ok(&"x")), "ratelimit-policy"), "");
    }

    #[test]
    fn the_answer_names_the_version_of_its_request() {
        for (sent, answered) in
            [("2026-12-01", "2026-12-01"), ("2026-11-28", "2026-11-28"), ("1970-01-01", "2026-11-28")]
        {
            let answer = form("GET", json!({"Spillway-Version": sent})).apply(Response::ok(&"x"));
            assert_eq!(header(&answer, "spillway-version"), answered);
        }
    }
}
