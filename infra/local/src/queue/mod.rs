//! Stands in for SQS and for the triggers that its queues have.
//!
//! [`store`] stores the messages in SQLite, [`api`] is SQS's wire format, and [`poller`] is Lambda's event source
//! mapping. The queues are those of the template. They cannot be created or changed while the runner runs.

mod api;
mod batch;
mod batch_api;
mod checks;
mod errors;
mod event;
mod fair;
mod message;
pub mod poller;
mod queues;
mod receipt;
mod redrive;
mod server;
mod store;
#[cfg(test)]
mod tests;

pub use errors::QueueError;
pub use message::NewMessage;
pub use queues::Queues;
#[cfg(test)]
pub use queues::Receive;
pub use server::serve;

const CONTENT_TYPE: &str = "application/x-amz-json-1.0";
