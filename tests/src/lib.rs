//! The black-box harness: a stack of one's own for every test, a client, a webhook receiver, a faulty way to the
//! store, and an auditor that recomputes the books from the table.
//!
//! It imports nothing of what it tests. It knows the HTTP API, `dev.json`, the APIs of DynamoDB, SQS and Lambda, and
//! the layout of the table.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "it exists only for tests")]

pub mod auditor;
pub mod book;
pub mod cargo_lambda;
pub mod chaos;
pub mod client;
pub mod clock;
pub mod demo_report;
pub mod event;
pub mod eventually;
pub mod functions;
pub mod inbox;
pub mod live;
pub mod make;
pub mod options;
pub mod outcomes;
pub mod pages;
pub mod percentiles;
pub mod process;
pub mod progress;
pub mod queues;
pub mod receiver;
pub mod refusal;
pub mod shop;
pub mod stack;
pub mod store_proxy;
pub mod table;
pub mod template;
pub mod tool;
pub mod units;
pub mod witness;
pub mod workload;

pub use client::{Answer, Client, unique};
pub use eventually::{Deadline, eventually};
pub use options::Options;
pub use stack::{Merchant, Stack};
pub use template::Template;
