//! The gateway's own answers, as the template's `GatewayResponses` describe them.

use std::collections::BTreeMap;

use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use serde_json::Value;

use crate::template::GatewayResponse;

/// Why the gateway refuses a request: API Gateway's response types.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    AccessDenied,
    AuthorizerConfigurationError,
    AuthorizerFailure,
    /// The body breaks off or is framed wrongly.
    BadRequestBody,
    IntegrationTimeout,
    InvalidApiKey,
    /// No route has this path and method.
    MissingAuthenticationToken,
    RequestTooLarge,
    Throttled,
    Unauthorized,
    /// The type or coding of the body is not supported.
    UnsupportedMediaType,
    /// The function failed, or its answer is no HTTP response. API Gateway has no own type for it.
    BadGateway,
}

impl Refusal {
    /// The reason for the runner's log.
    pub fn why(self) -> &'static str {
        match self {
            Self::AccessDenied => "the authorizer does not allow it",
            Self::AuthorizerConfigurationError => "the authorizer's answer is invalid",
            Self::AuthorizerFailure => "the authorizer failed",
            Self::BadRequestBody => "the body did not come as HTTP says",
            Self::IntegrationTimeout => "the function did not answer in time",
            Self::InvalidApiKey => "the authorizer's plan key is in no usage plan",
            Self::MissingAuthenticationToken => "there is no such path",
            Self::RequestTooLarge => "the request is too large",
            Self::Throttled => "too many requests at once",
            Self::Unauthorized => "no valid API key",
            Self::UnsupportedMediaType => "a body of this type or coding is not taken",
            Self::BadGateway => "the function failed, or its answer is invalid",
        }
    }

    /// Type, status and message unless the template has others.
    fn facts(self) -> (&'static str, u16, &'static str) {
        match self {
            Self::AccessDenied => ("ACCESS_DENIED", 403, "User is not authorized to access this resource"),
            Self::AuthorizerConfigurationError => ("AUTHORIZER_CONFIGURATION_ERROR", 500, "Internal server error"),
            Self::AuthorizerFailure => ("AUTHORIZER_FAILURE", 500, "Internal server error"),
            Self::BadRequestBody => ("BAD_REQUEST_BODY", 400, "Invalid request body"),
            Self::IntegrationTimeout => ("INTEGRATION_TIMEOUT", 504, "Endpoint request timed out"),
            Self::InvalidApiKey => ("INVALID_API_KEY", 403, "Forbidden"),
            Self::MissingAuthenticationToken => ("MISSING_AUTHENTICATION_TOKEN", 403, "Missing Authentication Token"),
            Self::RequestTooLarge => ("REQUEST_TOO_LARGE", 413, "Request Too Long"),
            Self::Throttled => ("THROTTLED", 429, "Too Many Requests"),
            Self::Unauthorized => ("UNAUTHORIZED", 401, "Unauthorized"),
            Self::UnsupportedMediaType => ("UNSUPPORTED_MEDIA_TYPE", 415, "Unsupported Media Type"),
            Self::BadGateway => ("", 502, "Internal server error"),
        }
    }
}

/// Status, headers and body of an answer.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: Vec<u8>,
}

/// The answer for `refusal` in the `context` of its request.
pub(super) fn render(responses: &BTreeMap<String, GatewayResponse>, refusal: Refusal, context: &Value) -> Answer {
    let (kind, own_status, message) = refusal.facts();
    let fallback = if own_status < 500 { "DEFAULT_4XX" } else { "DEFAULT_5XX" };
    let shape = responses.get(kind).or_else(|| responses.get(fallback));
    let mut context = context.clone();
    context["error"] = serde_json::json!({
        "message": message,
        "messageString": Value::from(message).to_string(),
        "responseType": if kind.is_empty() { fallback } else { kind },
    });
    let none = GatewayResponse::default();
    filled(shape.unwrap_or(&none), own_status, r#"{"message":$context.error.messageString}"#, &context)
}

/// The answer that the template describes, for a request with this `context`.
pub(super) fn filled(shape: &GatewayResponse, own_status: u16, own_body: &str, context: &Value) -> Answer {
    let status = shape.status.unwrap_or(own_status);
    let body = shape.body.as_deref().unwrap_or(own_body);
    let mut headers = HeaderMap::new();
    let json = HeaderValue::from_static("application/json");
    headers.insert(header::CONTENT_TYPE, json);
    for (name, value) in &shape.headers {
        let value = HeaderValue::from_str(&substitute(value, context));
        if let (Ok(name), Ok(value)) = (HeaderName::try_from(name), value) {
            headers.insert(name, value);
        }
    }
    Answer {
        status: StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR),
        headers,
        body: substitute(body, context).into_bytes(),
    }
}

/// Replaces each `$context.a.b` by its value, and an unknown name by an empty text.
fn substitute(template: &str, context: &Value) -> String {
    let mut whole = String::new();
    let mut rest = template;
    while let Some((before, after)) = rest.split_once("$context.") {
        whole.push_str(before);
        let end = after.find(|letter: char| !letter.is_ascii_alphanumeric() && letter != '.').unwrap_or(after.len());
        let (path, after) = after.split_at(end);
        // A full stop at the end belongs to the sentence.
        let name = path.trim_end_matches('.');
        let value = name.split('.').fold(context, |value, key| &value[key]);
        match value {
            Value::String(text) if name == "error.messageString" => whole.push_str(text),
            // A client's text must stay inside its JSON string.
            Value::String(text) => {
                let quoted = Value::from(text.as_str()).to_string();
                whole.push_str(quoted.trim_matches('"'));
            }
            Value::Null => {}
            other => whole.push_str(&other.to_string()),
        }
        whole.push_str(&path[name.len()..]);
        rest = after;
    }
    whole.push_str(rest);
    whole
}

#[cfg(test)]
mod tests {
    use super::*;

    fn response(status: Option<u16>, body: &str) -> GatewayResponse {
        GatewayResponse {
            status,
            headers: [("Retry-After".to_owned(), "1".to_owned())].into(),
            body: Some(body.to_owned()),
        }
    }

    #[test]
    fn the_template_describes_a_refusal() {
        let body = r#"{"id":"$context.requestId","detail":"$context.error.message."}"#;
        let responses = [("THROTTLED".to_owned(), response(None, body))].into();
        let context = serde_json::json!({"requestId": "r-1"});
        let answer = render(&responses, Refusal::Throttled, &context);
        assert_eq!(answer.status, 429);
        assert_eq!(answer.headers["retry-after"], "1");
        assert_eq!(answer.headers["content-type"], "application/json");
        assert_eq!(answer.body, br#"{"id":"r-1","detail":"Too Many Requests."}"#);
    }

    #[test]
    fn a_kind_without_a_response_takes_the_default() {
        let responses = [("DEFAULT_5XX".to_owned(), response(Some(503), "down"))].into();
        let context = Value::Null;
        let answer = render(&responses, Refusal::BadGateway, &context);
        assert_eq!((answer.status.as_u16(), answer.body.as_slice()), (503, &b"down"[..]));
        let answer = render(&responses, Refusal::MissingAuthenticationToken, &context);
        assert_eq!(answer.status, 403);
        assert_eq!(answer.body, br#"{"message":"Missing Authentication Token"}"#);
    }

    #[test]
    fn values_cannot_break_the_json() {
        let context = serde_json::json!({"path": "/a\"b"});
        assert_eq!(substitute("\"$context.path\"", &context), r#""/a\"b""#);
    }
}
