//! The HTTP API and the events of functions, as their callers know them.

pub mod answer;
pub mod client;
pub mod clock;
pub mod document;
pub mod event;
pub mod eventually;
pub mod meter;
pub mod pages;
pub mod terms;
