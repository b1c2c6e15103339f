//! Everything of Spillway that touches the outside.
//!
//! Each room keeps one kind of knowledge: `store` the keys, the conditions and the reasons of failed writes; `api`
//! the statuses and the wire shapes; `work` the messages; `processor` the units of each processor; `webhook`
//! signatures and addresses; `runtime` the settings and the loop around a function.

pub mod api;
pub mod plan_key;
pub mod processor;
pub mod runtime;
pub mod store;
pub mod webhook;
pub mod work;
