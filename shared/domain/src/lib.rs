//! Spillway's rules: money, states, the ledger, ids.
//!
//! Every function is pure. Time and randomness are arguments. The crate depends on no I/O crate, so the compiler
//! keeps the network, async code and the clock out.

pub mod api_key;
pub mod balance;
pub mod card;
pub mod change;
pub mod currency;
pub mod event;
pub mod failure_limit;
pub mod fee;
pub mod id;
pub mod idempotency;
pub mod ledger;
pub mod merchant;
pub mod money;
pub mod operation;
pub mod operator;
pub mod page;
pub mod payment;
pub mod refund;
pub mod resource;
#[cfg(test)]
mod samples;
pub mod tenant;
pub mod text;
pub mod time;
pub mod trace;
pub mod webhook;
