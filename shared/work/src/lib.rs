//! Messages, batches and waits. The only user of the SQS SDK.
//!
//! A message names an item, never an action. The consumer loads the item and does the work that its current state
//! needs. So late, repeated and reordered messages are harmless.

mod batch;
mod change;
mod error;
mod queues;
mod subject;

pub use batch::{Batch, BatchResponse, Fault, MessagesEvent, back_off, each};
pub use change::{ChangesEvent, StreamChange};
pub use error::WorkError;
pub use queues::{HasQueues, Outgoing, Queues};
pub use subject::{Outcome, Owner, Subject, in_lines};
