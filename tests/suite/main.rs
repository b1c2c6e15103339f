//! Tests of real stacks. `black_box/` holds what is promised to those outside, here or against a deployed stack; `api/`
//! mirrors the functions and `rules/` holds one promise each, both with a look inside.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests and their helpers")]

mod api;
mod black_box;
mod rules;
