//! Results of `make bench`, and their cost on AWS.

pub mod cost;

pub use spillway_tests::show;
