//! The black-box harness: a stack of one's own for every test, a client, a webhook receiver, a faulty way to the
//! store, and an oracle that says what the books must be.
//!
//! It imports nothing of what it tests. It knows the HTTP API, `dev.json`, the APIs of DynamoDB, SQS and Lambda, and
//! the layout of the table.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "it exists only for tests")]

pub mod api;
pub mod books;
pub mod doubles;
pub mod load;
pub mod stack;
pub mod target;
pub mod tools;

// By their short names: every test uses some.
pub use api::client::{Answer, Client, unique};
pub use api::eventually::{Deadline, eventually};
pub use api::{client, clock, event, pages, terms};
pub use books::{difference, oracle, queues, table, units, violation};
pub use doubles::{inbox, queue_proxy, receiver, server, store_proxy};
pub(crate) use doubles::{store_conflicts, store_errors};
pub use load::{asked, book, chaos, judge, outcomes, percentiles, refunds, shop, workload};
pub use stack::live::Live;
pub use stack::options::Options;
pub use stack::template::Template;
pub use stack::{Stack, cargo_lambda, functions, live, make, metrics, options, process, refusal, template};
pub use target::Target;
pub use target::outside::Merchant;
pub use tools::{demo_report, progress, tool, verdict};
