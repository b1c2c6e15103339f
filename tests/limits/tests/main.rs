//! Each limit of DynamoDB, beside the sentence in which AWS documents it.
#![allow(clippy::unwrap_used, reason = "tests")]

mod batches;
mod conflicts;
mod indexes;
mod partitions;
mod tables;
mod time;
mod world;
