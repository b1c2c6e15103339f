//! The HTTP response that a function's answer describes.

use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use serde_json::Value;
use std::collections::BTreeMap;

use super::refusal::Answer;

/// Headers that a function can't set: API Gateway gives them another name
/// (<https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-known-issues.html>).
const RENAMED: [&str; 4] = ["authorization", "date", "server", "www-authenticate"];

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Described {
    status_code: u16,
    #[serde(default)]
    status_description: Option<Value>,
    #[serde(default)]
    headers: Option<BTreeMap<String, Value>>,
    #[serde(default)]
    multi_value_headers: Option<BTreeMap<String, Vec<Value>>>,
    #[serde(default)]
    body: Option<String>,
    #[serde(default)]
    is_base64_encoded: bool,
    /// The Rust runtime's own addition, which API Gateway lets pass.
    #[serde(default)]
    cookies: Option<Value>,
}

/// `None` if the answer is no HTTP response: API Gateway calls it malformed.
pub(super) fn read(payload: &[u8]) -> Option<Answer> {
    let described: Described = serde_json::from_slice(payload).ok()?;
    let _ = (described.status_description, described.cookies);
    let mut headers = HeaderMap::new();
    for (name, value) in described.headers.unwrap_or_default() {
        headers.insert(HeaderName::try_from(name).ok()?, text(&value)?);
    }
    for (name, values) in described.multi_value_headers.unwrap_or_default() {
        let name = HeaderName::try_from(name).ok()?;
        headers.remove(&name);
        for value in values {
            headers.append(name.clone(), text(&value)?);
        }
    }
    for name in RENAMED {
        if let Some(value) = headers.remove(name) {
            headers.insert(HeaderName::try_from(format!("x-amzn-remapped-{name}")).ok()?, value);
        }
    }
    // These belong to the connection.
    headers.remove(header::CONTENT_LENGTH);
    headers.remove(header::TRANSFER_ENCODING);
    headers.remove(header::CONNECTION);
    let json = HeaderValue::from_static("application/json");
    headers.entry(header::CONTENT_TYPE).or_insert(json);
    let body = described.body.unwrap_or_default();
    Some(Answer {
        status: StatusCode::from_u16(described.status_code).ok()?,
        headers,
        body: if described.is_base64_encoded { STANDARD.decode(body).ok()? } else { body.into_bytes() },
    })
}

fn text(value: &Value) -> Option<HeaderValue> {
    match value {
        Value::String(text) => HeaderValue::from_str(text).ok(),
        Value::Number(_) | Value::Bool(_) => HeaderValue::from_str(&value.to_string()).ok(),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_of_both_kinds_are_sent() {
        let answer = read(
            br#"{"statusCode":202,"headers":{"Location":"/x","a":"0"},
                 "multiValueHeaders":{"a":["1","2"]},"body":"e30=","isBase64Encoded":true}"#,
        );
        let answer = answer.unwrap();
        assert_eq!(answer.status, 202);
        assert_eq!(answer.headers["location"], "/x");
        assert_eq!(answer.headers.get_all("a").iter().count(), 2);
        assert_eq!(answer.headers["content-type"], "application/json");
        assert_eq!(answer.body, b"{}");
    }

    #[test]
    fn some_headers_are_renamed() {
        let answer = read(br#"{"statusCode":401,"headers":{"WWW-Authenticate":"Bearer realm=\"x\""}}"#).unwrap();
        assert_eq!(answer.headers["x-amzn-remapped-www-authenticate"], "Bearer realm=\"x\"");
        assert!(!answer.headers.contains_key("www-authenticate"));
    }

    #[test]
    fn anything_else_is_malformed() {
        let cases = [
            "null",
            "{}",
            r#"{"statusCode":"ok"}"#,
            r#"{"statusCode":200,"body":{}}"#,
            r#"{"statusCode":200,"headers":{"a":[]}}"#,
            r#"{"statusCode":200,"id":"pay_1"}"#,
        ];
        for case in cases {
            assert_eq!(read(case.as_bytes()), None, "{case}");
        }
    }
}
