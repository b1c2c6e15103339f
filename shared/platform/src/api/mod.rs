//! HTTP: requests as API Gateway hands them over, who calls, what bodies may hold, what is answered.

mod caller;
mod fields;
mod json;
mod page;
mod parameters;
mod problem;
mod request;
mod response;
pub mod view;

pub use caller::Caller;
pub use fields::{Fields, Invalid, Place};
pub use json::Json;
pub use page::{ListQuery, PageAsked};
pub use problem::Problem;
pub use request::{ApiEvent, Request};
pub use response::{ApiResponse, Response};
