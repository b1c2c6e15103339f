//! What stands in for the world around the system: merchants' servers, and a way to the store that can fail.

pub mod inbox;
pub mod queue_proxy;
pub mod receiver;
pub mod server;
pub(crate) mod store_conflicts;
pub(crate) mod store_errors;
pub mod store_proxy;
