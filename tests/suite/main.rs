//! Tests against real stacks.
//!
//! - `black_box/` is what clients see, on a stack of the test's own or on a deployed one.
//! - Folders of resources (`payments/`, `webhook_endpoints/`, …) and `workers/` mirror the functions, one file each, for
//!   what a test can only see inside the stack.
//! - `rules/` holds one promise in each file.
//! - `tools/` tests the project's own programs.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests and their helpers")]

mod api_keys;
mod balance;
mod black_box;
mod events;
mod merchants;
mod operator_actions;
mod payments;
mod rules;
mod tools;
mod webhook_endpoints;
mod workers;
