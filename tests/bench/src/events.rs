//! Events for the functions, made from the samples in `events/`; each causes new work.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};
use spillway_tests::{Merchant, unique};

fn sample(path: &str) -> Value {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../events").join(path);
    let text = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    serde_json::from_str(&text).unwrap()
}

fn set_header(event: &mut Value, name: &str, value: &str) {
    event["headers"][name] = json!(value);
    event["multiValueHeaders"][name] = json!([value]);
}

/// An event of the gateway, with the authorizer's answer for this merchant.
fn from(merchant: &Merchant, mut event: Value) -> Value {
    let context = &mut event["requestContext"]["authorizer"];
    context["merchant"] = json!(merchant.id);
    context["principalId"] = json!(merchant.id);
    set_header(&mut event, "Authorization", &format!("Bearer {}", merchant.client.secret()));
    event
}

/// A request for a new payment.
pub fn create_payment(merchant: &Merchant) -> Value {
    let mut event = from(merchant, sample("create-payment/card.json"));
    set_header(&mut event, "Idempotency-Key", &unique());
    event
}

/// A request for this payment.
pub fn get_payment(merchant: &Merchant, id: &str) -> Value {
    let mut event = from(merchant, sample("get-payment/by-id.json"));
    event["path"] = json!(format!("/v1/payments/{id}"));
    event["pathParameters"]["payment_id"] = json!(id);
    event
}

/// A request for this refund.
pub fn get_refund(merchant: &Merchant, id: &str) -> Value {
    let mut event = from(merchant, sample("get-refund/by-id.json"));
    event["path"] = json!(format!("/v1/refunds/{id}"));
    event["pathParameters"]["refund_id"] = json!(id);
    event
}

/// The gateway's request to the authorizer.
pub fn authenticate(merchant: &Merchant) -> Value {
    let mut event = sample("authenticate/test-key.json");
    set_header(&mut event, "Authorization", &format!("Bearer {}", merchant.client.secret()));
    event
}
