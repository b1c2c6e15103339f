//! The test harness: a stack for each test, a client, a webhook receiver, a store proxy that injects faults, and an
//! oracle that says what the books must contain.
//!
//! It imports none of the code under test. It knows the HTTP API, `dev.json`, the APIs of DynamoDB, SQS and Lambda, and
//! the layout of the table.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "it exists only for tests")]

pub mod api;
pub mod aws;
pub mod doubles;
pub mod load;
pub mod oracle;
pub mod stack;
pub mod system;
pub mod target;
pub mod tools;

// Short names for all tests.
pub use api::client::{ANSWER_LIMIT, Answer, Client, unique};
pub use api::eventually::{Deadline, eventually};
pub use api::{client, clock, document, event, meter, pages, terms};
pub use aws::{queues, table, webhook_keys};
pub(crate) use doubles::store_errors;
pub use doubles::{consumed, receiver, server, store_proxy, tls_proxy};
pub use load::{
    chaos, deliveries, demo_report, evidence, judge, load_merchant, money_request, outcomes, peak, refunds,
    request_log, stale, verdict, workload,
};
pub use oracle::{difference, violation};
pub use stack::options::Options;
pub use stack::running::RunningStack;
pub use stack::template::Template;
pub use stack::{Stack, cargo_lambda, functions, make, metrics, options, process, refusal, running, template, units};
pub use system::{Merchant, operator};
pub use target::Target;
pub use tools::{cache, machine, percentiles, progress, prometheus, show, tool};
