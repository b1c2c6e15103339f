//! What `make demo` and `make chaos` need to talk with people and machines.

pub mod demo_report;
pub mod progress;
pub mod tool;
pub mod verdict;
