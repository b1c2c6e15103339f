//! The one line of an invocation, with its metrics where there are any.

use std::io::Write as _;
use std::time::Duration;

use serde::Serialize;
use spillway_domain::time::Timestamp;
use tracing_subscriber::filter::LevelFilter;

use super::context::Context;
use super::metric::Embedded;

/// What the handler's kind tells of an invocation.
#[derive(Debug, Default, Serialize)]
pub(super) struct Told {
    pub(super) request_id: String,
    pub(super) merchant: String,
    pub(super) source: String,
    pub(super) subject: String,
    pub(super) outcome: String,
    #[serde(skip)]
    pub(super) failed: bool,
}

/// What every invocation tells.
#[derive(Serialize)]
struct Summary<'a> {
    function: &'a str,
    #[serde(flatten)]
    told: &'a Told,
    store_ms: u64,
    processor_ms: u64,
    total_ms: u64,
    cold: bool,
    retries: u32,
}

#[derive(Serialize)]
struct Line<'a> {
    timestamp: Timestamp,
    level: &'static str,
    message: &'static str,
    #[serde(flatten)]
    summary: Option<Summary<'a>>,
    #[serde(flatten)]
    metrics: Option<Embedded<'a>>,
}

/// Writes the invocation's line to standard output, and takes the metrics with it: in the line itself they cost the
/// fewest bytes. A `level` that hides the line hides no metrics: they are then written by themselves.
pub(super) fn write<P>(context: &Context<P>, told: &Told, total: Duration, cold: bool, level: LevelFilter) {
    let now = context.now();
    let summary = Summary {
        function: &context.process.function,
        told,
        store_ms: context.meter.store_ms(),
        processor_ms: context.meter.processor_ms(),
        total_ms: u64::try_from(total.as_millis()).unwrap_or(u64::MAX),
        cold,
        retries: context.meter.retries(),
    };
    let mut out = std::io::stdout().lock();
    for line in lines(summary, context.metrics.take(&context.process.stack, now), now, level) {
        // Who reads the lines may be gone; the work was done all the same.
        let _ = out.write_all(line.as_bytes());
    }
}

/// The whole lines, each with its end.
fn lines(summary: Summary<'_>, metrics: Vec<Embedded<'_>>, now: Timestamp, level: LevelFilter) -> Vec<String> {
    let (name, severity) =
        if summary.told.failed { ("ERROR", tracing::Level::ERROR) } else { ("INFO", tracing::Level::INFO) };
    let mut metrics = metrics.into_iter();
    let mut lines = Vec::new();
    if severity <= level {
        let (summary, metrics) = (Some(summary), metrics.next());
        lines.push(Line { timestamp: now, level: name, message: "invocation", summary, metrics });
    }
    for metrics in metrics.map(Some) {
        lines.push(Line { timestamp: now, level: "INFO", message: "metrics", summary: None, metrics });
    }
    // None of the values can fail to be written as JSON.
    lines.iter().filter_map(|line| serde_json::to_string(line).ok()).map(|line| line + "\n").collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::runtime::metric::{Metric, Metrics};

    fn written(failed: bool, counted: u64, level: LevelFilter) -> String {
        let told = Told { request_id: "req-1".to_owned(), outcome: "ok 1".to_owned(), failed, ..Told::default() };
        let summary = Summary {
            function: "spillway-fold-balance",
            told: &told,
            store_ms: 3,
            processor_ms: 0,
            total_ms: 4,
            cold: true,
            retries: 0,
        };
        let (metrics, now) = (Metrics::default(), Timestamp::from_millis(1_769_860_800_123));
        metrics.add(Metric::MovementsFolded, counted);
        lines(summary, metrics.take("acme", now), now, level).concat()
    }

    const METRICS: &str = concat!(
        r#""_aws":{"Timestamp":1769860800123,"CloudWatchMetrics":[{"Namespace":"Spillway","Dimensions":[["Stack"]],"#,
        r#""Metrics":[{"Name":"MovementsFolded","Unit":"Count"}]}]},"Stack":"acme","MovementsFolded":7"#
    );

    fn expected(level: &str, metrics: &str) -> String {
        format!(
            concat!(
                r#"{{"timestamp":"2026-01-31T12:00:00.123Z","level":"{}","message":"invocation","#,
                r#""function":"spillway-fold-balance","request_id":"req-1","merchant":"","source":"","subject":"","#,
                r#""outcome":"ok 1","store_ms":3,"processor_ms":0,"total_ms":4,"cold":true,"retries":0{}}}"#,
                "\n"
            ),
            level, metrics
        )
    }

    #[test]
    fn metrics_are_in_the_invocations_own_line() {
        assert_eq!(written(false, 0, LevelFilter::INFO), expected("INFO", ""));
        assert_eq!(written(false, 7, LevelFilter::INFO), expected("INFO", &format!(",{METRICS}")));
    }

    #[test]
    fn a_level_that_hides_the_line_hides_no_metrics() {
        let alone =
            format!(r#"{{"timestamp":"2026-01-31T12:00:00.123Z","level":"INFO","message":"metrics",{METRICS}}}"#);
        assert_eq!(written(false, 7, LevelFilter::WARN), alone + "\n");
        assert_eq!(written(false, 0, LevelFilter::WARN), "");
        assert_eq!(written(true, 0, LevelFilter::ERROR), expected("ERROR", ""));
    }
}
