//! Black-box tests over HTTP against a real local stack. `api/` mirrors the functions; `rules/` holds one promise each.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests and their helpers")]

mod api;
mod rules;
