//! The OpenAPI 3.1 document of the API: <https://spec.openapis.org/oas/v3.1.0>.
//!
//! It is generated from the declarations of the endpoints, the types of their views and the types of problems. Each
//! endpoint has one line in [`endpoints`].

mod body;
mod endpoints;
mod events;
mod operation;
mod problems;
#[cfg(test)]
mod tests;

use schemars::SchemaGenerator;
use schemars::generate::SchemaSettings;
use serde_json::{Map, Value, json};

pub use endpoints::{Described, described};

/// The introduction for integrators, in Markdown.
const INTRODUCTION: &str = include_str!("introduction.md");

/// The document as text, the content of docs/openapi.json.
pub fn text() -> String {
    // Serialization to memory can't fail.
    serde_json::to_string_pretty(&document()).unwrap_or_default() + "\n"
}

/// The document.
pub fn document() -> Value {
    let mut settings = SchemaSettings::draft2020_12().for_serialize();
    settings.definitions_path = "/components/schemas".into();
    settings.meta_schema = None;
    let mut generator = SchemaGenerator::new(settings);
    let described = described(&mut generator);
    let webhooks = events::webhooks(&mut generator);
    let mut paths = Map::new();
    for endpoint in &described {
        let path = paths.entry(endpoint.contract.path).or_insert_with(|| json!({}));
        path[endpoint.contract.method.as_str().to_lowercase()] = operation::operation(endpoint);
    }
    let problem = problems::schema(&mut generator);
    let mut schemas = generator.take_definitions(true);
    schemas.insert("Problem".to_owned(), problem);
    schemas.values_mut().for_each(without_single_choices);
    let introduction = INTRODUCTION
        .replace("{events}", &events::table(&mut generator))
        .replace("{problems}", &problems::table(&described));
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Spillway",
            "version": env!("CARGO_PKG_VERSION"),
            "summary": "A payments API in your own AWS account.",
            "description": introduction,
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{
            "url": "{origin}",
            "description": "The address of the deployment.",
            "variables": {"origin": {
                "default": "http://127.0.0.1:9000",
                "description": "The stack's address up to `/v1`. The default is the stack that `make dev` starts.",
            }},
        }],
        "tags": endpoints::tags(&described),
        "security": [{"api_key": []}],
        "paths": paths,
        "webhooks": webhooks,
        "components": {
            "securitySchemes": {"api_key": {
                "type": "http",
                "scheme": "bearer",
                "description": "An API key, `sk_test_…` or `sk_live_…`, as `Authorization: Bearer sk_…`. Test and live \
                                data never mix.",
            }},
            "parameters": operation::shared_parameters(),
            "headers": operation::headers(),
            "responses": problems::shared(&described),
            "schemas": schemas,
        },
    })
}

/// Replaces a `oneOf` with a single schema by that schema. An enum with a single word gives such a `oneOf`.
fn without_single_choices(schema: &mut Value) {
    match schema {
        Value::Object(members) => {
            members.values_mut().for_each(without_single_choices);
            if let Some([Value::Object(only)]) = members.get("oneOf").and_then(Value::as_array).map(Vec::as_slice) {
                let only = only.clone();
                members.remove("oneOf");
                only.into_iter().for_each(|(key, value)| {
                    members.entry(key).or_insert(value);
                });
            }
        }
        Value::Array(items) => items.iter_mut().for_each(without_single_choices),
        _ => {}
    }
}
