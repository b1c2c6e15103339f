//! Functions that no client calls: consumers of the queues and of the stream, and the sweep.

mod call_processor;
mod deliver_webhook;
mod dispatch_changes;
mod enqueue_due;
mod fold_balance;
