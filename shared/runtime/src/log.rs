//! Log lines that the code writes during an invocation: JSON on standard output, like the line of the invocation.

use std::fmt;

use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::time::FormatTime;
use tracing_subscriber::layer::{Layer as _, SubscriberExt as _};
use tracing_subscriber::util::SubscriberInitExt as _;

use spillway_domain::time::Timestamp;

use super::context::Effects;

/// Writes the lines' `timestamp`, taken from the clock in the effects.
struct Stamp(Effects);

impl FormatTime for Stamp {
    fn format_time(&self, writer: &mut Writer<'_>) -> fmt::Result {
        let now: Timestamp = (self.0.now)();
        write!(writer, "{now}")
    }
}

/// Sends the log lines of Spillway's own code to standard output, down to `level`. Lines of libraries are dropped,
/// because they may contain secrets or card data.
pub fn init(level: LevelFilter, effects: &Effects) {
    let lines = tracing_subscriber::fmt::layer()
        .json()
        .flatten_event(true)
        .with_current_span(true)
        .with_span_list(false)
        .with_target(false)
        .with_timer(Stamp(effects.clone()))
        .with_writer(std::io::stdout)
        .with_filter(tracing_subscriber::filter::filter_fn(move |metadata| {
            metadata.target().starts_with("spillway") && *metadata.level() <= level
        }));
    // A second start in the same process (in a test) keeps the first subscriber.
    let _ = tracing_subscriber::registry().with(lines).try_init();
}
