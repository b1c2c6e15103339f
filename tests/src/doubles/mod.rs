//! Doubles of what surrounds the system: a merchant's webhook receiver, and a proxy before the store that can fail.

pub mod consumed;
pub mod receiver;
pub mod server;
mod store_call;
pub(crate) mod store_errors;
pub mod store_proxy;
pub mod tls_proxy;
