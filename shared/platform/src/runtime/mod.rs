//! What a function runs in: its settings, its clients, the loop around it, and its log line.

mod cache;
mod context;
mod endpoint;
mod http;
mod line;
pub mod log;
mod merchants;
mod meter;
mod metric;
mod sdk;
mod serve;
pub mod settings;

pub use cache::Cache;
pub use context::{Clock, Context, HasQueues, Outside, Parts, Random, Start, StoreOnly, StoreWithEvents};
pub use endpoint::{serve_endpoint, serve_list};
pub use http::{serve_http, serve_http_with_query};
pub use merchants::Merchants;
pub use meter::Meter;
pub use metric::{Metric, Metrics, Unit};
#[cfg(test)]
pub(crate) use sdk::config_of_tests;
pub(crate) use sdk::missing_right;
pub use serve::{
    Answered, Invocation, UNAUTHORIZED, serve_authorizer, serve_batch, serve_changes, serve_direct, serve_tick,
};
pub use settings::SettingError;
