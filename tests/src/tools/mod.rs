//! Input and output of the tools.

pub mod cache;
pub mod machine;
pub mod percentiles;
pub mod progress;
pub mod prometheus;
pub mod show;
pub mod tool;
