//! The events in the document. Each has a sample of its body: `events/<type>.json`.

use std::fs;
use std::path::Path;

use schemars::{JsonSchema as _, SchemaGenerator};
use serde_json::{Map, Value, json};
use spillway_domain::event::EventType;

/// The webhooks of the document, one for each event type.
pub fn webhooks(generator: &mut SchemaGenerator) -> Map<String, Value> {
    let described = descriptions(generator);
    let webhook = |(event, about): (EventType, String)| (event.to_string(), webhook(event, &about));
    described.into_iter().map(webhook).collect()
}

/// A table of all event types in Markdown.
pub fn table(generator: &mut SchemaGenerator) -> String {
    let rows = descriptions(generator).into_iter().map(|(event, about)| format!("| `{event}` | {about} |\n"));
    "| event | when |\n|---|---|\n".to_owned() + &rows.collect::<String>()
}

/// All event types, with the doc comments of their variants.
fn descriptions(generator: &mut SchemaGenerator) -> Vec<(EventType, String)> {
    let schema = EventType::json_schema(generator).to_value();
    let about = |event: EventType| {
        let variants = schema["oneOf"].as_array().into_iter().flatten();
        let own = variants.filter(|variant| variant["const"] == event.as_str());
        own.filter_map(|variant| variant["description"].as_str()).collect::<String>()
    };
    EventType::ALL.iter().copied().map(|event| (event, about(event))).collect()
}

/// The sample of an event's body.
pub fn sample(event: EventType) -> Value {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("events/{event}.json"));
    let text = fs::read_to_string(path).unwrap_or_default();
    serde_json::from_str(&text).unwrap_or_default()
}

fn webhook(event: EventType, about: &str) -> Value {
    let sample = sample(event);
    let object = sample["data"]["object"].as_str().unwrap_or_default();
    let any = |required: bool, name: &str, about: &str, example: &str| {
        json!({
            "name": name, "in": "header", "required": required, "description": about,
            "schema": {"type": "string"}, "example": example,
        })
    };
    let header = |name: &str, about: &str, example: &str| any(true, name, about, example);
    json!({"post": {
        "operationId": format!("on{}", pascal(&event.as_str().replace('.', "_"))),
        "tags": ["Events"],
        "summary": event.as_str(),
        "description": format!("{about} `data` is the object as it was after the event."),
        "security": [],
        "parameters": [
            header("webhook-id", "The event's id. It is the same in every attempt, so deduplicate by it.",
                sample["id"].as_str().unwrap_or_default()),
            header("webhook-timestamp", "The time of this attempt, in seconds since 1970.", "1769860801"),
            header("webhook-signature", "Signatures by the endpoint's secrets, in the form of Standard Webhooks 1.0.0.",
                "v1,K5oZfzN95Z9UVu1EsfQmfVNQhnkZ2pj9o9NDN/H/pI4="),
            any(false, "traceparent", "The trace of the request that caused the event, and an id of this attempt \
                (W3C Trace Context). The trace is that of the request's own `traceparent`; without one it is the \
                `Request-Id` without dashes.", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"),
        ],
        "requestBody": {
            "required": true,
            "content": {"application/json": {
                "schema": {
                    "type": "object",
                    "required": ["id", "type", "timestamp", "data"],
                    "properties": {
                        "id": {"type": "string", "description": "Equals the header `webhook-id`."},
                        "type": {"type": "string", "const": event.as_str()},
                        "timestamp": {"type": "string", "format": "date-time", "description": "The time of the event."},
                        "data": {"$ref": format!("#/components/schemas/{}", pascal(object))},
                    },
                },
                "example": sample,
            }},
        },
        "responses": {
            "2XX": {"description": "Received: the event is not sent to this endpoint again."},
            "410": {"description": "The endpoint is gone: it is disabled and receives no more events."},
            "4XX": {"description": "Not received: sent again later. A `Retry-After` of a 429 is obeyed up to a day."},
            "5XX": {"description": "Not received: sent again later. A `Retry-After` of a 503 is obeyed up to a day."},
        },
    }})
}

/// Converts `webhook_endpoint` to `WebhookEndpoint`.
fn pascal(words: &str) -> String {
    let capitalized = |word: &str| word[..1].to_uppercase() + &word[1..];
    words.split('_').filter(|word| !word.is_empty()).map(capitalized).collect()
}
