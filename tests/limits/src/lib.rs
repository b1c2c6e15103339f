//! DynamoDB's limits, which the embedded table lacks: a layer at the HTTP client of the AWS SDK, in virtual time.
//!
//! [`Store`] executes each call on an embedded table and answers as DynamoDB does when a limit is met. The limits are
//! those that AWS documents ([`Limits`]); `tests/` has a test for each of them beside AWS's sentence. [`VirtualTime`] runs
//! futures in one thread and moves its clock only when all of them wait, so an hour passes in the time that its calls
//! take to execute, and the same seed gives the same run.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "like the tests, it is never deployed")]

mod bucket;
mod call;
mod client;
mod conflicts;
mod database;
mod lag;
mod limits;
mod meter;
mod place;
mod ranges;
mod store;
mod throughput;
mod time;

pub use call::{Answer, Call};
pub use client::http_client;
pub use conflicts::{Claim, Conflicts};
pub use database::Change;
pub use dynoxide::Item;
pub use limits::{Latency, Limits};
pub use place::{Limit, Refusals, Space};
pub use store::Store;
pub use time::{Spawner, VirtualTime};
