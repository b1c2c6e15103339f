//! Webhook endpoints, and the deliveries of events to them.

mod attempt;
mod delivery;
mod endpoint;
mod filter;
#[cfg(test)]
mod tests;

pub use attempt::Attempt;
pub use delivery::{Delivery, DeliveryStatus, JitterPermille, NotRedelivered};
pub use endpoint::{
    DISABLED_AFTER_MS, ENABLED_MAX, ENDPOINTS_MAX, EndpointEdit, EndpointStatus, KeyFingerprint, LastTest,
    SLOW_AFTER_MS, Secret, SecretSource, Step, WebhookEndpoint,
};
pub use filter::EventFilter;
