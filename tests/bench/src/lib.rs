//! What `make bench` has measured, and what that costs on AWS.

pub mod cost;
pub mod show;
