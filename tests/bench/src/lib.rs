//! Results of `make bench`, and their cost on AWS.

pub mod cost;
pub mod show;
