//! Messages, batches and waits. The only user of the SQS SDK.
//!
//! A message names a thing, never an action: the consumer loads the thing and does what its state asks for now. So
//! late, repeated and reordered messages are harmless.

mod batch;
mod change;
mod message;
mod queues;
mod subject;

pub use batch::{Batch, BatchResponse, Fault, MessagesEvent, WorkError, back_off, each};
pub use change::{ChangesEvent, StreamChange};
pub use message::{QueueName, Thing};
pub use queues::{Outgoing, Queues};
pub(crate) use subject::IDS_MAX;
pub use subject::{Done, Subject};
