//! Webhooks: secrets, Standard Webhooks 1.0.0 signatures, allowed addresses, one attempt.

mod address;
mod fields;
mod keys;
mod send;
mod settings;
mod sign;

pub use address::{AddressError, URL_LENGTH_MAX, check_url};
pub use fields::{Addresses, EVENT_TYPES, EndpointParts, URL};
pub use keys::{KeyError, SigningKeys};
pub use send::{NoClient, Sender};
pub use settings::{Settings, webhook_loopback};
pub use sign::{Signed, sign};
