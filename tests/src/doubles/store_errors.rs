//! The store's errors in DynamoDB's wire format.

use http_body_util::Full;
use hyper::Response;
use hyper::body::Bytes;
use serde_json::{Value, json};

use crate::store_proxy::Call;

/// An answer of the store.
pub(crate) type Answer = Response<Full<Bytes>>;

/// The error of this name: HTTP 400, or 500 for `InternalServerError`.
pub(crate) fn error(name: &str) -> Answer {
    answer(name, json!({}))
}

/// A canceled transaction: `code` is the reason of the items at `places`, `None` that of all others.
pub(crate) fn canceled(call: &Call, places: &[usize], code: &str) -> Answer {
    let request: Value = serde_json::from_str(&call.body).unwrap();
    let items = request["TransactItems"].as_array().map_or(0, Vec::len);
    let reason = |item: usize| json!({"Code": if places.contains(&item) { code } else { "None" }});
    let reasons: Vec<Value> = (0..items).map(reason).collect();
    answer("TransactionCanceledException", json!({"CancellationReasons": reasons}))
}

fn answer(name: &str, mut body: Value) -> Answer {
    let status = if name == "InternalServerError" { 500 } else { 400 };
    body["__type"] = json!(format!("com.amazonaws.dynamodb.v20120810#{name}"));
    body["message"] = json!("injected by the test");
    let response = Response::builder().status(status).header("content-type", "application/x-amz-json-1.0");
    response.body(Full::new(body.to_string().into())).unwrap()
}
