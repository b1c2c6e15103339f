//! The store's errors in DynamoDB's wire format.

use http_body_util::Full;
use hyper::Response;
use hyper::body::Bytes;
use serde_json::Value;
use spillway_limits::Answer;

use crate::store_proxy::Call;

const MESSAGE: &str = "injected by the test";

/// The error of this name: HTTP 400, or 500 for `InternalServerError`.
pub(crate) fn error(name: &str) -> Response<Full<Bytes>> {
    response(&Answer::error(name, MESSAGE))
}

/// A canceled transaction: `code` is the reason of the item at `place`, `None` that of all others.
pub(crate) fn canceled(call: &Call, place: usize, code: &str) -> Response<Full<Bytes>> {
    let request: Value = serde_json::from_str(&call.body).unwrap();
    let items = request["TransactItems"].as_array().map_or(0, Vec::len);
    let reasons: Vec<_> = (0..items).map(|item| (item == place).then_some(code)).collect();
    response(&Answer::canceled(&reasons))
}

/// An answer of DynamoDB over HTTP.
pub(crate) fn response(answer: &Answer) -> Response<Full<Bytes>> {
    let response = Response::builder().status(answer.status).header("content-type", "application/x-amz-json-1.0");
    response.body(Full::new(answer.body.to_string().into())).unwrap()
}
