//! `make capacity`: what breaks first. The handlers of the functions run in this process on the embedded table within
//! DynamoDB's limits, in virtual time, with the triggers and settings of `infra/template.yaml`.
//!
//! What is Spillway's is real: handlers, store, keys, conditions, retries, messages. What is AWS's is modelled: the table's
//! limits (`spillway-limits`), queues ([`queue`]), event source mappings ([`poller`], [`stream`]), and the CPU share of a
//! function ([`cpu`]). API Gateway is not there, so its limits are not met.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "like the tests, it is never deployed")]

pub mod counts;
pub mod cpu;
pub mod function;
pub mod goals;
pub mod http;
pub mod merchant;
pub mod plan;
pub mod poller;
pub mod queue;
pub mod report;
pub mod runs;
pub mod scenarios;
pub mod stream;
pub mod template;
pub mod world;
