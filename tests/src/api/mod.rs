//! The HTTP API, and what functions are handed, as those outside know them.

pub mod answer;
pub mod client;
pub mod clock;
pub mod document;
pub mod event;
pub mod eventually;
pub mod pages;
pub mod terms;
