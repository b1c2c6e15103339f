//! Input and output of the tools.

pub mod demo_report;
pub mod progress;
pub mod tool;
pub mod verdict;
