//! A request that moves money: an order to pay, or a refund of it, with everything that must follow from it. The request
//! log and the oracle need to know no more of it.

use serde_json::Value;

use crate::client::{Client, Request};

/// A POST under an idempotency key, and its expected results once it is accepted.
pub trait MoneyRequest {
    /// Idempotency key.
    fn key(&self) -> &str;
    /// ISO code.
    fn currency(&self) -> &'static str;
    /// The HTTP request; the same at every call.
    fn request(&self, client: &Client) -> Request;
    /// Fields that the 202 must show.
    fn answer(&self) -> Value;
    /// Problem codes of refusals that are final.
    fn refusals(&self) -> &'static [&'static str];
    /// Journal entries that must be posted: type, and amount in minor units.
    fn entries(&self) -> Vec<(&'static str, i64)>;
    /// Types of the events that must be delivered; the last one reports the end.
    fn events(&self) -> Vec<&'static str>;
}
