//! The loop around a function. It has one entry point for each kind of trigger, which parses the event, calls the
//! handler, catches panics, answers, and writes the invocation's log line.

mod batches;
mod endpoint;
mod http;
mod line;
mod serve;

pub use endpoint::{serve_endpoint, serve_list};
pub use http::serve_http;
pub use serve::{
    Answered, Invocation, UNAUTHORIZED, serve_authorizer, serve_batch, serve_changes, serve_direct, serve_tick,
};
