//! The contract of an endpoint. It is declared once, as a constant in the endpoint's crate. The parser of the body, the
//! check of the caller's scope and the OpenAPI document follow from this constant.

mod endpoint;
mod field;
mod parameter;
mod problem_type;
mod words;

pub use endpoint::{Access, Endpoint, IfMatchRule, Limit, Method, Success};
pub use field::{Field, FieldKind, FieldSpec, Flag, Integer, List, Metadata, OneOf, Text};
pub use parameter::{
    CREATED_BEFORE, CREATED_FROM, CURRENCY, CURSOR, Filter, LIMIT, PathId, PathIdSpec, QueryKind, QuerySpec, TextFilter,
};
pub(crate) use parameter::{CURRENCY_EXPECTED, time_expected};
pub use problem_type::{ProblemType, problem_types};
pub(crate) use words::alternatives;
pub use words::{Words, event_filters};
