//! What clients ask for with a POST: an order to be paid, or a refund of it. All that follows from a request is told here,
//! so that the client's book and the oracle need not know what it is.

use serde_json::Value;

use crate::client::{Client, Request};

/// Something that a client asks for under an idempotency key, and what must come of it once it is accepted.
pub trait Asked {
    /// Its idempotency key.
    fn key(&self) -> &str;
    /// ISO code.
    fn currency(&self) -> &'static str;
    /// The request: always the same one.
    fn request(&self, client: &Client) -> Request;
    /// Fields that the 202 must show.
    fn answer(&self) -> Value;
    /// Codes of the problems with which it may be refused for good.
    fn refusals(&self) -> &'static [&'static str];
    /// The entries that must be posted for it: type and amount in minor units.
    fn entries(&self) -> Vec<(&'static str, i64)>;
    /// Types of the events that must tell of it, the last one of its end.
    fn events(&self) -> Vec<&'static str>;
}
