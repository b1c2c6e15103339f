//! The runtime of a function: its settings, the configuration of its AWS clients, the effects that a test can replace
//! (clock, randomness, sleep, HTTP client), and the counts of an invocation. This crate knows no endpoint,
//! no key and no item of the table.

mod context;
pub mod log;
mod meter;
mod metric;
mod sdk;
pub mod settings;

pub use context::{Clock, Context, Effects, Parts, Random, Start};
pub use meter::{Meter, Metering};
pub use metric::{Embedded, Metric, Metrics, Unit};
pub use sdk::{AMAZON_ROOTS, config, config_with, missing_right};
pub use settings::SettingError;
