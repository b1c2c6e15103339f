//! The events that API Gateway sends for a request.

use std::net::IpAddr;

use axum::http::HeaderMap;
use axum::http::request::Parts;
use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::route::PathParameters;
use crate::arn::{ACCOUNT, API_ID};
use crate::clock;
use crate::template::Route;

/// `requestContext`, before the authorizer has answered. There is no stage in the path, as behind
/// a custom domain.
pub(super) fn context(parts: &Parts, source: IpAddr, stage: &str, now_ms: i64) -> Value {
    let id = Uuid::new_v4().to_string();
    let header = |name: &str| last(&parts.headers, name);
    json!({
        "accountId": ACCOUNT,
        "apiId": API_ID,
        "domainName": header("host"),
        "extendedRequestId": id,
        "httpMethod": parts.method.as_str(),
        "identity": {"sourceIp": source.to_string(), "userAgent": header("user-agent")},
        "path": parts.uri.path(),
        "protocol": format!("{:?}", parts.version),
        "requestId": id,
        "requestTime": clock::access_log(now_ms),
        "requestTimeEpoch": now_ms,
        "stage": stage,
    })
}

/// The authorizer's event.
pub(super) fn for_authorizer(
    parts: &Parts, route: &Route, parameters: &PathParameters, context: &Value, method_arn: &str,
) -> Value {
    let mut event = request(parts, route, parameters, context);
    event["type"] = "REQUEST".into();
    event["methodArn"] = method_arn.into();
    event
}

/// The event of the route's function.
pub(super) fn for_function(
    parts: &Parts, route: &Route, parameters: &PathParameters, context: &Value, body: &[u8],
) -> Value {
    let mut event = request(parts, route, parameters, context);
    event["body"] = match body {
        [] => Value::Null,
        // Without a binary media type, API Gateway reads every body as text.
        body => String::from_utf8_lossy(body).into(),
    };
    event["isBase64Encoded"] = false.into();
    event
}

fn request(parts: &Parts, route: &Route, parameters: &PathParameters, context: &Value) -> Value {
    let mut headers = Map::new();
    let mut multi_headers = Map::new();
    for name in parts.headers.keys() {
        let values = parts.headers.get_all(name).iter();
        let values: Vec<_> = values.map(|v| String::from_utf8_lossy(v.as_bytes())).collect();
        let name = title_case(name.as_str());
        headers.insert(name.clone(), values.last().cloned().into());
        multi_headers.insert(name, values.into());
    }
    let mut single = Map::new();
    let mut multi = Map::new();
    for (name, value) in form_urlencoded::parse(parts.uri.query().unwrap_or_default().as_bytes()) {
        single.insert(name.to_string(), (*value).into());
        let values = multi.entry(name).or_insert_with(|| json!([]));
        if let Some(values) = values.as_array_mut() {
            values.push((*value).into());
        }
    }
    let parameters = parameters.iter();
    let parameters = parameters.map(|(name, value)| (name.clone(), value.as_str().into()));
    let mut context = context.clone();
    context["resourcePath"] = route.path.as_str().into();
    context["resourceId"] = route.function.as_str().into();
    json!({
        "resource": route.path,
        "path": parts.uri.path(),
        "httpMethod": parts.method.as_str(),
        "headers": headers,
        "multiValueHeaders": multi_headers,
        "queryStringParameters": none_if_empty(single),
        "multiValueQueryStringParameters": none_if_empty(multi),
        "pathParameters": none_if_empty(parameters.collect()),
        "stageVariables": null,
        "requestContext": context,
    })
}

/// The name in title case, as `Content-Type`, which is how most clients write it. API Gateway keeps the client's
/// spelling, but the HTTP server here does not. A function that expects lower case must fail here as on AWS.
fn title_case(name: &str) -> String {
    let parts = name.split('-').map(|part| {
        let (first, rest) = part.split_at(part.len().min(1));
        first.to_ascii_uppercase() + rest
    });
    parts.collect::<Vec<_>>().join("-")
}

fn none_if_empty(map: Map<String, Value>) -> Value {
    if map.is_empty() { Value::Null } else { map.into() }
}

/// The last value of a header: API Gateway uses it as the single value.
fn last(headers: &HeaderMap, name: &str) -> Option<String> {
    let value = headers.get_all(name).iter().next_back()?;
    Some(String::from_utf8_lossy(value.as_bytes()).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn duplicates_are_kept_and_names_are_in_title_case() {
        let request = axum::http::Request::post("/v1/things/a%20b?x=1&x=2+3&y")
            .header("idempotency-key", "one")
            .header("Idempotency-Key", "two")
            .body(())
            .unwrap();
        let (parts, ()) = request.into_parts();
        let route = Route {
            function: "get-thing".to_owned(),
            method: "POST".to_owned(),
            path: "/v1/things/{id}".to_owned(),
            api_key_required: true,
            public: false,
        };
        let parameters = vec![("id".to_owned(), "a b".to_owned())];
        let context = context(&parts, [127, 0, 0, 1].into(), "api", 1_769_860_800_123);
        let event = for_function(&parts, &route, &parameters, &context, b"{}");
        assert_eq!(event["headers"]["Idempotency-Key"], "two");
        assert_eq!(event["multiValueHeaders"]["Idempotency-Key"], json!(["one", "two"]));
        assert_eq!(event["queryStringParameters"], json!({"x": "2 3", "y": ""}));
        assert_eq!(event["multiValueQueryStringParameters"]["x"], json!(["1", "2 3"]));
        assert_eq!(event["pathParameters"]["id"], "a b");
        assert_eq!(event["requestContext"]["resourcePath"], "/v1/things/{id}");
        assert_eq!(event["requestContext"]["requestTime"], "31/Jan/2026:12:00:00 +0000");
        assert_eq!(event["body"], "{}");
    }
}
