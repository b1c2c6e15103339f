//! HTTP: requests as API Gateway hands them over, who calls, what bodies may hold, what is answered.

mod caller;
mod fields;
mod json;
mod problem;
mod request;
mod response;
pub mod view;

pub use caller::Caller;
pub use fields::{Fields, Invalid};
pub use json::Json;
pub use problem::Problem;
pub use request::{ApiEvent, Request};
pub use response::{ApiResponse, Response};
