//! What a function runs in: its settings, its clients, the loop around it, and its log line.

mod cache;
mod context;
mod line;
pub mod log;
mod meter;
mod metric;
mod sdk;
mod serve;
mod settings;

pub use cache::Cache;
pub use context::{Clock, Context, Outside, Random};
pub use meter::Meter;
pub use metric::{Metric, Metrics, Unit};
pub use serve::{
    Invocation, UNAUTHORIZED, serve_authorizer, serve_batch, serve_changes, serve_direct, serve_http,
    serve_http_with_query, serve_tick,
};
pub use settings::{DueShards, SettingError, Settings};
