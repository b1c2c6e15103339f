//! Metrics in CloudWatch's embedded metric format: members of an invocation's log line from which CloudWatch makes
//! metrics. This file has their names, their units and what each counts.
//!
//! A change is counted after its commit is confirmed. So a repeated message never counts the change again. A change is
//! not counted if the confirmation of its commit is lost, or if the process dies before the invocation's line is
//! written. Two metrics, marked below, count an action at the processor before the commit, because a failed commit could
//! hide the action. So the metrics show trends; the exact numbers are in the table. (In rare cases CloudWatch itself
//! counts a line twice.)

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use serde::Serialize;
use spillway_domain::time::Timestamp;

const NAMESPACE: &str = "Spillway";
/// The only dimension: the name of the deployment. Each combination of values is a metric of its own, which costs
/// money.
const DIMENSION: &str = "Stack";
/// The format's limit: values of one metric in one line.
const VALUES_MAX: usize = 100;

/// The counts and measures. A variant's name is the metric's name in CloudWatch, which the template's alarms use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub enum Metric {
    /// Payments that became `succeeded`.
    PaymentsSucceeded,
    /// Payments that became `failed`, including declined ones.
    PaymentsFailed,
    /// Requests for a payment that were refused because too many payments of the card or the customer had failed.
    PaymentsRefused,
    /// Calls and look-ups that left an outcome unknown, each stored in its payment or refund.
    OutcomesUnknown,
    /// Charges that appeared after their payment had failed, and were undone. Counted before the commit, so that no charge
    /// is missed. Two copies of a message that undo the same charge count it twice.
    LateChargesUndone,
    /// Operations that two look-ups did not find at the processor, and that were called again with the same key.
    /// Counted before the commit, too. Two copies of a message that both call count two.
    OperationsCalledAgain,
    /// The duration of each call of the processor, with any outcome.
    ProcessorLatency,
    /// Movements that a fold added to a balance.
    MovementsFolded,
    /// Reads of a balance that were refused because too many movements wait to be folded.
    BalancesBehind,
    /// Attempts to deliver an event that the endpoint answered with 2xx, each stored in its delivery.
    WebhooksDelivered,
    /// All other attempts, each stored in its delivery. An event with five failed attempts counts five times.
    WebhooksFailed,
    /// The time from an event to its delivery, if the first attempt delivered it. That attempt is made at once.
    WebhookLatency,
    /// Deliveries that became final without success, because the last attempt failed or the endpoint is disabled.
    WebhooksGivenUp,
    /// A gauge of each sweep: payments and refunds that wait for the processor, at most 200 of each partition of the
    /// index `due`. A failed payment that waits for its last look-up is one of them.
    OperationsUnfinished,
    /// A gauge of each sweep: how long the oldest of them has waited, without those that wait only for the last
    /// look-up and those whose message is still on its way. 0 if there is none.
    OldestOperation,
    /// A gauge of each sweep: events that some endpoint may still have to get, at most 200 of each partition.
    EventsUndelivered,
    /// A gauge of each sweep: the age of the oldest of these events. 0 if there is none.
    OldestEvent,
    /// A gauge of each sweep: deliveries that wait for an attempt, at most 200 of each partition.
    DeliveriesWaiting,
    /// A gauge of each sweep: the age of the oldest event of these deliveries. 0 if there is none.
    OldestDelivery,
    /// Messages that the sweep sent for overdue items.
    DueEnqueued,
    /// Claims of stuck items: they were claimed at least twice before and are still unfinished, which points to a
    /// fault.
    DueOverdue,
    /// Messages and stream changes whose work failed. They come again. Lambda counts such an invocation as a success,
    /// so Lambda's own metrics do not show them.
    WorkFailed,
    /// Items that can't be read as what their keys say, counted at each read. An error line names each.
    ItemsUnreadable,
}

/// A metric's unit, as CloudWatch names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub enum Unit {
    /// The values of an invocation are added up.
    Count,
    /// The age of the oldest item at the time of the line.
    Seconds,
    /// Each value is written by itself, so that CloudWatch can compute percentiles.
    Milliseconds,
}

impl Metric {
    /// The metric's unit.
    pub fn unit(self) -> Unit {
        match self {
            Metric::PaymentsSucceeded
            | Metric::PaymentsFailed
            | Metric::PaymentsRefused
            | Metric::OutcomesUnknown
            | Metric::LateChargesUndone
            | Metric::OperationsCalledAgain
            | Metric::MovementsFolded
            | Metric::BalancesBehind
            | Metric::WebhooksDelivered
            | Metric::WebhooksFailed
            | Metric::WebhooksGivenUp
            | Metric::OperationsUnfinished
            | Metric::EventsUndelivered
            | Metric::DeliveriesWaiting
            | Metric::DueEnqueued
            | Metric::DueOverdue
            | Metric::WorkFailed
            | Metric::ItemsUnreadable => Unit::Count,
            Metric::OldestOperation | Metric::OldestEvent | Metric::OldestDelivery => Unit::Seconds,
            Metric::ProcessorLatency | Metric::WebhookLatency => Unit::Milliseconds,
        }
    }
}

/// The counts and measures since the invocation began. (An environment handles one invocation at a time.)
#[derive(Debug, Default)]
pub struct Metrics(Mutex<BTreeMap<Metric, Vec<u64>>>);

impl Metrics {
    /// Adds `value` to a count, or to the values of a measure. A count of 0 is ignored.
    pub fn add(&self, metric: Metric, value: u64) {
        if metric.unit() == Unit::Count && value == 0 {
            return;
        }
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let values = all.entry(metric).or_default();
        match (metric.unit(), values.first_mut()) {
            (Unit::Count, Some(sum)) => *sum = sum.saturating_add(value),
            (Unit::Count, None) | (Unit::Seconds | Unit::Milliseconds, _) => values.push(value),
        }
    }

    /// Sets a gauge: what there is now. A 0 is written too.
    pub fn set(&self, metric: Metric, value: u64) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(metric, vec![value]);
    }

    /// Adds a number of occurrences to a count.
    pub fn add_all(&self, metric: Metric, count: usize) {
        self.add(metric, u64::try_from(count).unwrap_or(u64::MAX));
    }

    /// Adds a duration in whole milliseconds.
    pub fn took(&self, metric: Metric, time: Duration) {
        self.add(metric, u64::try_from(time.as_millis()).unwrap_or(u64::MAX));
    }

    /// Takes all counts and measures, one value for each log line that they need: empty if nothing was counted, and
    /// rarely more than one.
    pub fn take<'a>(&self, stack: &'a str, now: Timestamp) -> Vec<Embedded<'a>> {
        let mut all = std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner));
        let mut lines = Vec::new();
        while !all.is_empty() {
            let (mut values, mut rest) = (BTreeMap::new(), BTreeMap::new());
            for (metric, mut values_of_metric) in all {
                let further = values_of_metric.split_off(values_of_metric.len().min(VALUES_MAX));
                values.insert(metric, Values::from(values_of_metric));
                if !further.is_empty() {
                    rest.insert(metric, further);
                }
            }
            lines.push(Embedded::new(values, stack, now));
            all = rest;
        }
        lines
    }
}

/// The members of a log line from which CloudWatch makes metrics.
#[derive(Debug, Serialize)]
pub struct Embedded<'a> {
    #[serde(rename = "_aws")]
    metadata: Metadata,
    #[serde(rename = "Stack")]
    stack: &'a str,
    #[serde(flatten)]
    values: BTreeMap<Metric, Values>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct Metadata {
    /// Milliseconds since 1970.
    timestamp: i64,
    cloud_watch_metrics: [Directive; 1],
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct Directive {
    namespace: &'static str,
    dimensions: [[&'static str; 1]; 1],
    metrics: Vec<Definition>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct Definition {
    name: Metric,
    unit: Unit,
}

#[derive(Debug, Serialize)]
#[serde(untagged)]
enum Values {
    One(u64),
    Several(Vec<u64>),
}

impl From<Vec<u64>> for Values {
    fn from(values: Vec<u64>) -> Values {
        match values.as_slice() {
            [one] => Values::One(*one),
            _ => Values::Several(values),
        }
    }
}

impl Embedded<'_> {
    fn new(values: BTreeMap<Metric, Values>, stack: &str, now: Timestamp) -> Embedded<'_> {
        let metrics = values.keys().map(|metric| Definition { name: *metric, unit: metric.unit() }).collect();
        let directive = Directive { namespace: NAMESPACE, dimensions: [[DIMENSION]], metrics };
        Embedded { metadata: Metadata { timestamp: now.millis(), cloud_watch_metrics: [directive] }, stack, values }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn lines(metrics: &Metrics) -> Vec<Value> {
        let lines = metrics.take("acme", Timestamp::from_millis(1_769_860_800_123));
        lines.iter().map(|line| serde_json::to_value(line).unwrap()).collect()
    }

    #[test]
    fn counts_are_added_up_and_times_are_listed() {
        let metrics = Metrics::default();
        metrics.add(Metric::PaymentsSucceeded, 1);
        metrics.took(Metric::ProcessorLatency, Duration::from_micros(12_999));
        metrics.add(Metric::PaymentsSucceeded, 2);
        metrics.took(Metric::ProcessorLatency, Duration::ZERO);
        metrics.took(Metric::WebhookLatency, Duration::from_millis(7));
        let definitions = json!([{"Name": "PaymentsSucceeded", "Unit": "Count"},
            {"Name": "ProcessorLatency", "Unit": "Milliseconds"}, {"Name": "WebhookLatency", "Unit": "Milliseconds"}]);
        let directive = json!({"Namespace": "Spillway", "Dimensions": [["Stack"]], "Metrics": definitions});
        let expected = json!({"_aws": {"Timestamp": 1_769_860_800_123_i64, "CloudWatchMetrics": [directive]},
            "Stack": "acme", "PaymentsSucceeded": 3, "ProcessorLatency": [12, 0], "WebhookLatency": 7});
        assert_eq!(lines(&metrics), [expected]);
        assert!(lines(&metrics).is_empty(), "written once");
    }

    #[test]
    fn a_count_of_zero_is_not_written() {
        let metrics = Metrics::default();
        metrics.add_all(Metric::DueEnqueued, 0);
        assert!(lines(&metrics).is_empty());
    }

    #[test]
    fn a_gauge_is_written_once_also_if_it_is_zero() {
        let metrics = Metrics::default();
        metrics.set(Metric::OldestEvent, 0);
        metrics.set(Metric::EventsUndelivered, 3);
        metrics.set(Metric::EventsUndelivered, 2);
        let lines = lines(&metrics);
        assert_eq!((&lines[0]["OldestEvent"], &lines[0]["EventsUndelivered"]), (&json!(0), &json!(2)));
        let definitions =
            json!([{"Name": "EventsUndelivered", "Unit": "Count"}, {"Name": "OldestEvent", "Unit": "Seconds"}]);
        assert_eq!((lines.len(), &lines[0]["_aws"]["CloudWatchMetrics"][0]["Metrics"]), (1, &definitions));
    }

    #[test]
    fn many_values_are_split_over_several_lines() {
        let metrics = Metrics::default();
        metrics.add(Metric::WebhooksDelivered, 201);
        (0..201).for_each(|value| metrics.add(Metric::WebhookLatency, value));
        let lines = lines(&metrics);
        let values = |line: &Value| match &line["WebhookLatency"] {
            Value::Array(values) => values.clone(),
            one => vec![one.clone()],
        };
        let written: Vec<Vec<Value>> = lines.iter().map(values).collect();
        assert_eq!(written.iter().map(Vec::len).collect::<Vec<_>>(), [100, 100, 1]);
        assert_eq!(written.concat(), (0..201).map(Value::from).collect::<Vec<_>>());
        let counted: Vec<_> = lines.iter().filter_map(|line| line.get("WebhooksDelivered")).collect();
        assert_eq!(counted, [201]);
    }
}
