//! Input and output of the tools.

pub mod progress;
pub mod prometheus;
pub mod tool;
