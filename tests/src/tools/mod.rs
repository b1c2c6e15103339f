//! Input and output of the tools.

pub mod machine;
pub mod progress;
pub mod prometheus;
pub mod show;
pub mod tool;
