//! Counts requests, invocations, messages and the functions' own metrics, for `GET /_metrics` in Prometheus's text
//! format. This file has the names of the runner's own metrics. README.md explains them.

mod embedded;
mod series;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::http::{StatusCode, header};
use axum::response::IntoResponse as _;
use axum::routing::get;
use serde_json::Value;

use crate::queue::{QueueError, Queues};
use series::{Kind, Series};

/// The page's path. The API's paths can't begin so: paths with `_` are the runner's own.
const PATH: &str = "/_metrics";

/// The text format's media type: <https://prometheus.io/docs/instrumenting/exposition_formats/>.
const CONTENT_TYPE: &str = "text/plain; version=0.0.4";

const REQUESTS: Name =
    Name("apigateway_requests_total", Kind::Counter, "Requests by route and status, with refused ones.");
const LATENCY: Name = Name("apigateway_latency_seconds", Kind::Histogram, "Time from a request to its answer.");
const ERRORS: Name = Name("lambda_errors_total", Kind::Counter, "Invocations that ended in an error.");
const DURATION: Name =
    Name("lambda_duration_seconds", Kind::Histogram, "Time of an invocation, with its wait for a process.");
const MESSAGES: Name = Name("sqs_messages", Kind::Gauge, "Messages in a queue by state.");
const OLDEST: Name = Name("sqs_oldest_message_age_seconds", Kind::Gauge, "Time since the oldest message was sent.");

/// A metric's name, kind and explanation.
#[derive(Clone, Copy)]
struct Name<'a>(&'a str, Kind, &'a str);

/// All metrics since the runner has started. Cheap to clone.
#[derive(Clone, Default)]
pub struct Metrics(Arc<Mutex<BTreeMap<String, Family>>>);

/// One metric.
struct Family {
    kind: Kind,
    help: String,
    /// By labels, as `route="/v1/payments",status="202"`.
    series: BTreeMap<String, Series>,
}

impl Metrics {
    /// Makes the counters of a route's errors, so that the first error is an increase.
    pub fn route(&self, method: &str, path: &str) {
        for status in ["500", "502", "503", "504"] {
            self.record(REQUESTS, &[("method", method), ("route", path), ("status", status)], 0);
        }
    }

    /// Counts a request. `route` is the method and the path of the template, or `None` if the API does not have the
    /// request's path. So clients can't make new series.
    pub fn request(&self, route: Option<(&str, &str)>, status: u16, took: Duration) {
        let (method, path) = route.unwrap_or_default();
        let status = status.to_string();
        self.record(REQUESTS, &[("method", method), ("route", path), ("status", &status)], 1);
        self.record(LATENCY, &[("method", method), ("route", path)], millis(took));
    }

    /// Counts an invocation.
    pub fn invocation(&self, function: &str, failed: bool, took: Duration) {
        let labels = [("function", function)];
        self.record(ERRORS, &labels, u64::from(failed));
        self.record(DURATION, &labels, millis(took));
    }

    /// Counts the metrics in a function's line.
    pub fn line(&self, fields: &Value) {
        for metric in embedded::read(fields) {
            let labels: Vec<_> = metric.dimensions.iter().map(|(name, value)| (name.as_str(), *value)).collect();
            for (name, kind) in metric.series() {
                let name = Name(&name, kind, &metric.help);
                metric.values.iter().for_each(|value| self.record(name, &labels, *value));
            }
        }
    }

    /// Sets the gauges of the queues. `given_up` has the logical ids of the queues for failed work.
    fn queues(&self, queues: &Queues, given_up: &[String]) -> Result<(), QueueError> {
        for (logical_id, name) in queues.names() {
            let kind = if given_up.iter().any(|id| id == logical_id) { "dead_letters" } else { "work" };
            let of_queue = [("kind", kind), ("queue", name)];
            let counts = queues.counts(name)?;
            let states = [("visible", counts.visible), ("in_flight", counts.in_flight), ("delayed", counts.delayed)];
            for (state, count) in states {
                let labels = [of_queue[0], of_queue[1], ("state", state)];
                self.record(MESSAGES, &labels, count.try_into().unwrap_or_default());
            }
            self.record(OLDEST, &of_queue, queues.oldest_age(name)?.as_secs());
        }
        Ok(())
    }

    /// The page at `/_metrics`.
    pub fn routes(&self, queues: Queues, given_up: Vec<String>) -> Router {
        let metrics = self.clone();
        let page = async move || match metrics.queues(&queues, &given_up) {
            Ok(()) => ([(header::CONTENT_TYPE, CONTENT_TYPE)], metrics.text()).into_response(),
            Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, format!("{error}\n")).into_response(),
        };
        Router::new().route(PATH, get(page))
    }

    fn record(&self, Name(name, kind, help): Name<'_>, labels: &[(&str, &str)], value: u64) {
        let mut families = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let new = || Family { kind, help: help.to_owned(), series: BTreeMap::new() };
        let family = families.entry(name.to_owned()).or_insert_with(new);
        family.series.entry(series::labels(labels)).or_insert_with(|| Series::new(kind)).record(value);
    }

    /// The page: every family with its explanation and its kind, sorted by name.
    fn text(&self) -> String {
        let families = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut text = String::new();
        for (name, family) in families.iter() {
            text += &format!("# HELP {name} {}\n# TYPE {name} {}\n", family.help, family.kind.name());
            family.series.iter().for_each(|(labels, series)| text += &series.text(name, labels));
        }
        text
    }
}

fn millis(took: Duration) -> u64 {
    u64::try_from(took.as_millis()).unwrap_or(u64::MAX)
}
