//! The operation object of an endpoint.

use serde_json::{Map, Value, json};
use spillway_wire::contract::{Access, Method};

use crate::endpoints::{Described, tag};
use crate::{body, problems};

/// The pattern of idempotency keys: visible ASCII characters, bare or as a quoted string of RFC 8941.
const KEY_PATTERN: &str = r#"^([!#-~][!-~]*|"([!#-\[\]-~]|\\["\\])+")$"#;

/// The operation object of an endpoint.
pub fn operation(endpoint: &Described) -> Value {
    let contract = &endpoint.contract;
    let mut operation = json!({
        "operationId": endpoint.operation_id(),
        "tags": [tag(endpoint.group())],
        "summary": contract.summary,
        "description": format!("{}\n\n{}", contract.description, rights(contract.access)),
        "security": security(contract.access),
        "responses": responses(endpoint),
    });
    let parameters = parameters(endpoint);
    if !parameters.is_empty() {
        operation["parameters"] = json!(parameters);
    }
    if !contract.body.is_empty() {
        operation["requestBody"] = body::body(contract.body);
    }
    operation
}

/// The required scope, as a sentence.
fn rights(access: Access) -> String {
    match access {
        Access::Public => "Needs no API key.".to_owned(),
        Access::Reads(scope) => format!("Needs the scope `{}`.", scope.as_str()),
        Access::Starts(scope) => {
            format!("Needs the scope `{}`, and a merchant that is not suspended.", scope.as_str())
        }
    }
}

fn security(access: Access) -> Value {
    match access {
        Access::Public => json!([]),
        Access::Reads(scope) | Access::Starts(scope) => json!([{"api_key": [scope.as_str()]}]),
    }
}

fn parameters(endpoint: &Described) -> Vec<Value> {
    let contract = &endpoint.contract;
    let mut parameters: Vec<Value> = contract.path_ids.iter().map(body::path_id).collect();
    parameters.extend(contract.query.unwrap_or_default().iter().map(body::query));
    if contract.idempotency_key {
        parameters.push(json!({
            "name": "Idempotency-Key",
            "in": "header",
            "required": true,
            "description": "A key of your own for this request, such as the number of the order. If you repeat the \
                            request with the same key, it takes effect only once. Keys never expire.",
            "schema": {"type": "string", "minLength": 1, "maxLength": 255, "pattern": KEY_PATTERN},
            "example": "order-1001",
        }));
    }
    if contract.if_match {
        parameters.push(json!({
            "name": "If-Match",
            "in": "header",
            "required": true,
            "description": "The `ETag` of the version that you change, or `*` for any version.",
            "schema": {"type": "string", "pattern": "^(\\*|\"[0-9]+\")$"},
            "example": "\"1\"",
        }));
    }
    if has_not_modified(endpoint) {
        parameters.push(json!({
            "name": "If-None-Match",
            "in": "header",
            "description": "The `ETag` of your version. If it is still the newest, the answer is 304.",
            "schema": {"type": "string"},
        }));
    }
    parameters
}

fn has_not_modified(endpoint: &Described) -> bool {
    endpoint.contract.method == Method::Get && endpoint.contract.success.has_etag
}

fn responses(endpoint: &Described) -> Value {
    let contract = &endpoint.contract;
    let success = contract.success;
    let mut headers = vec!["Request-Id"];
    headers.extend(success.has_location.then_some("Location"));
    headers.extend(success.has_etag.then_some("ETag"));
    headers.extend(contract.idempotency_key.then_some("Idempotent-Replayed"));
    let mut answer = json!({"description": success.description, "headers": references(&headers)});
    if let Some(shown) = &endpoint.shown {
        answer["content"] = json!({"application/json": {"schema": shown}});
    }
    let mut responses = Map::new();
    responses.insert(success.status.to_string(), answer);
    if has_not_modified(endpoint) {
        let unchanged = json!({
            "description": "Your version is the newest.",
            "headers": references(&["Request-Id", "ETag"]),
        });
        responses.insert("304".to_owned(), unchanged);
    }
    responses.extend(problems::responses(contract));
    Value::Object(responses)
}

/// References to the headers with these names.
pub fn references(names: &[&str]) -> Value {
    let reference = |name: &&str| ((*name).to_owned(), json!({"$ref": format!("#/components/headers/{name}")}));
    Value::Object(names.iter().map(reference).collect())
}

/// The headers of answers.
pub fn headers() -> Value {
    let text = json!({"type": "string"});
    json!({
        "Request-Id": {"description": "The id of this request, for the operator of this API.", "schema": text},
        "Location": {
            "description": "The address of the created object.",
            "schema": {"type": "string", "format": "uri-reference"},
        },
        "ETag": {"description": "The version of the shown object.", "schema": text},
        "Idempotent-Replayed": {
            "description": "`true` in the answer to a repeated request.",
            "schema": {"type": "string", "enum": ["true"]},
        },
        "Retry-After": {
            "description": "Seconds to wait before you send the same request again.",
            "schema": {"type": "integer", "minimum": 0},
        },
    })
}
