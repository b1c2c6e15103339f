//! What an endpoint promises, declared once, as a constant in the endpoint's own crate. The parser of its body, the
//! check of the caller's scope, and its part of the OpenAPI document all follow from that constant.

mod endpoint;
mod field;
mod parameter;
mod problem_type;
mod words;

pub use endpoint::{Access, Endpoint, Method, Success};
pub use field::{Field, FieldKind, FieldSpec, Flag, Integer, List, Metadata, OneOf, Text};
pub use parameter::{
    CREATED_BEFORE, CREATED_FROM, CURRENCY, CURSOR, Filter, LIMIT, PathId, PathIdSpec, QueryKind, QuerySpec, TextFilter,
};
pub(crate) use parameter::{CURRENCY_EXPECTED, time_expected};
pub use problem_type::{ProblemType, problem_types};
pub(crate) use words::alternatives;
pub use words::{Words, event_filters};
