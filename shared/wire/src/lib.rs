//! The HTTP contract: API Gateway's requests, the caller, parameters and bodies, views, problems and pages. The
//! requests of operators to functions without a route are parsed here too, by the same rules as bodies.

mod answer_form;
mod caller;
pub mod contract;
mod cursor;
mod faults;
mod fields;
mod json;
mod operator_request;
mod page;
mod parameters;
mod problem;
mod request;
mod resource;
mod response;
mod tags;
mod versions;
pub mod view;

pub use answer_form::AnswerForm;
pub use caller::Caller;
pub use faults::{Invalid, Place};
pub use fields::Fields;
pub use json::Json;
pub use operator_request::{FromOperator, OperatorRequest, prices, read_operator_request};
pub use page::{ListPage, ListQuery};
pub use parameters::Parameters;
pub use problem::{Problem, ProblemBody};
pub use request::{ApiRequestExt, Unreadable, caller_merchant, caller_mode, ids_in_path, read_request};
pub use resource::{creation, resource};
pub use response::{About, ApiResponseExt, Response, about, render};
pub use tags::IfMatch;
pub use versions::{ApiVersion, DEPRECATIONS, Deprecation, VERSION_HEADER};
