//! Requests, as the gateway sends them to functions.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};
use spillway_wire::{Problem, Response};

/// An event of the gateway from this caller, made from a sample in `events/`.
pub struct Requests {
    sample: Value,
}

impl Requests {
    /// Requests like this sample, such as `get-balance/all-currencies.json`.
    pub fn like(sample: &str) -> Requests {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../events").join(sample);
        let text = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        Requests { sample: serde_json::from_str(&text).unwrap() }
    }

    /// A request of a merchant with this many shards.
    pub fn of(&self, merchant: &str, shards: u16) -> Value {
        let mut event = self.sample.clone();
        let context = &mut event["requestContext"]["authorizer"];
        context["merchant"] = json!(merchant);
        context["principalId"] = json!(merchant);
        context["shards"] = json!(json!([{"count": shards, "from": "2026-01-01T00:00:00.000Z"}]).to_string());
        event
    }
}

/// Sets a header.
pub fn set_header(event: &mut Value, name: &str, value: &str) {
    event["headers"][name] = json!(value);
    event["multiValueHeaders"][name] = json!([value]);
}

/// The status of an answer.
pub fn status(answer: Result<Response, Problem>) -> u16 {
    answer.unwrap_or_else(|problem| problem.into_response("r")).status().as_u16()
}
