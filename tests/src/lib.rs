//! The black-box harness: a stack of one's own for every test, a client, a webhook receiver, a faulty way to the
//! store, and an auditor that recomputes the books from the table.
//!
//! It imports nothing of what it tests. It knows the HTTP API, `dev.json`, the APIs of DynamoDB, SQS and Lambda, and
//! the layout of the table.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "it exists only for tests")]

pub mod auditor;
pub mod cargo_lambda;
pub mod client;
pub mod clock;
pub mod event;
pub mod eventually;
pub mod functions;
pub mod make;
pub mod options;
pub mod process;
pub mod queues;
pub mod receiver;
pub mod refusal;
pub mod stack;
pub mod store_proxy;
pub mod table;
pub mod template;

pub use client::{Answer, Client, unique};
pub use eventually::{Deadline, eventually};
pub use options::Options;
pub use stack::{Merchant, Stack};
pub use template::Template;
