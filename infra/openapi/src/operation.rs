//! The operation object of an endpoint.

use serde_json::{Map, Value, json};
use spillway_wire::contract::{Access, Endpoint, IfMatchRule, Method};
use spillway_wire::{ApiVersion, DEPRECATIONS, Deprecation};

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
        "parameters": parameters(endpoint),
        "responses": responses(endpoint),
    });
    deprecate(&mut operation, contract, DEPRECATIONS);
    if !contract.body.is_empty() {
        operation["requestBody"] = body::body(contract.body);
    }
    operation
}

/// Marks an operation that is deprecated, or that has a deprecated field.
pub fn deprecate(operation: &mut Value, contract: &Endpoint<()>, all: &[Deprecation]) {
    for entry in all.iter().filter(|entry| (entry.method, entry.path) == (contract.method, contract.path)) {
        if entry.field.is_none() {
            operation["deprecated"] = true.into();
        }
        let what = entry.field.map_or("This operation".to_owned(), |field| format!("The field `{field}`"));
        let described = operation["description"].as_str().unwrap_or_default();
        let sentences = format!("{what} is deprecated, and may be gone from {} on. {}", entry.sunset, entry.instead);
        operation["description"] = format!("{described}\n\n{sentences}").into();
    }
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
    parameters.extend(if_match(contract.if_match));
    if contract.method == Method::Get {
        parameters.push(json!({
            "name": "If-None-Match",
            "in": "header",
            "description": "The `ETag` of the answer that you have. If it is still right, the answer is 304.",
            "schema": {"type": "string"},
        }));
    }
    parameters.push(json!({"$ref": "#/components/parameters/Spillway-Version"}));
    parameters
}

/// The header `If-Match`. None if the endpoint ignores it.
fn if_match(rule: IfMatchRule) -> Option<Value> {
    let meaning = "The `ETag` of the version that you change, or `*` for any version.";
    let description = match rule {
        IfMatchRule::Ignored => return None,
        IfMatchRule::RequiredFrom(version) if version > ApiVersion::FIRST => {
            format!("{meaning} Required from the `Spillway-Version` {} on.", version.as_str())
        }
        IfMatchRule::Optional | IfMatchRule::RequiredFrom(_) => meaning.to_owned(),
    };
    let mut parameter = json!({
        "name": "If-Match",
        "in": "header",
        "description": description,
        "schema": {"type": "string", "pattern": "^(\\*|\"[0-9]+\")$"},
        "example": "\"1\"",
    });
    if rule == IfMatchRule::RequiredFrom(ApiVersion::FIRST) {
        parameter["required"] = true.into();
    }
    Some(parameter)
}

/// The parameters of every endpoint.
pub fn shared_parameters() -> Value {
    json!({"Spillway-Version": {
        "name": "Spillway-Version",
        "in": "header",
        "description": "The dated version of the API that your program was written for. Without it, the first one.",
        "schema": {"type": "string", "enum": ApiVersion::ALL.map(ApiVersion::as_str)},
    }})
}

fn responses(endpoint: &Described) -> Value {
    let contract = &endpoint.contract;
    let success = contract.success;
    let mut headers = vec!["Request-Id", "Spillway-Version"];
    headers.extend_from_slice(if contract.access == Access::Public { &[] } else { &["RateLimit-Policy", "RateLimit"] });
    headers.extend(success.has_location.then_some("Location"));
    headers.extend(success.has_etag.then_some("ETag"));
    headers.extend(contract.idempotency_key.then_some("Idempotent-Replayed"));
    let mut answer = json!({"description": success.description, "headers": references(&headers)});
    if let Some(shown) = &endpoint.shown {
        answer["content"] = json!({"application/json": {"schema": shown}});
    }
    let mut responses = Map::new();
    responses.insert(success.status.to_string(), answer);
    if contract.method == Method::Get {
        let unchanged = json!({
            "description": "The answer that you have is still right.",
            "headers": references(&["Request-Id", "Spillway-Version", "ETag"]),
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
        "ETag": {"description": "The version of the shown object, or a hash of the answer.", "schema": text},
        "Idempotent-Replayed": {
            "description": "`true` in the answer to a repeated request.",
            "schema": {"type": "string", "enum": ["true"]},
        },
        "Spillway-Version": {"description": "The dated version of this answer.", "schema": text},
        "RateLimit-Policy": {
            "description": "Your rate limit: at most `q` requests in `w` seconds. `\"plan\"` counts all your requests, \
                            except those to endpoints with a limit of their own; `\"route\"` counts those to this \
                            endpoint.",
            "schema": text,
            "example": "\"plan\";q=200;w=2",
        },
        "RateLimit": {
            "description": "The requests that are left (`r`), and the seconds until there are more (`t`). Deployments \
                            on AWS leave this header out.",
            "schema": text,
            "example": "\"plan\";r=199;t=1",
        },
        "Retry-After": {
            "description": "Seconds to wait before you send the same request again.",
            "schema": {"type": "integer", "minimum": 0},
        },
    })
}
