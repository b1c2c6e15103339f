//! Stands in for SQS and for the triggers that its queues have.
//!
//! A small SQS of our own: [`store`] keeps the messages in SQLite and [`api`] speaks the wire
//! protocol; [`poller`] takes messages in process, as Lambda's event source mapping does.
//! The queues themselves are those of the template and cannot be made or changed while it runs.

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

use std::sync::Arc;

pub use errors::QueueError;
pub use message::NewMessage;
pub use queues::Queues;
#[cfg(test)]
pub use queues::Receive;
pub use server::serve;

const CONTENT_TYPE: &str = "application/x-amz-json-1.0";

/// Takes one readable line about something that went wrong or was given up.
pub type Report = Arc<dyn Fn(String) + Send + Sync>;
