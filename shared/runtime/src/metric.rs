//! Metrics, in CloudWatch's embedded metric format: members of an invocation's log line that CloudWatch makes metrics
//! of. The one place for their names, their units and what each counts.
//!
//! What was committed is counted once the commit is confirmed (but for one metric, which says so), and told when the
//! invocation ends. So a repeated message, which finds it done, never counts it again. A process that dies in between,
//! or a commit whose confirmation is lost for good, is counted nowhere: the metrics tell how things go, the table tells
//! what is true. (CloudWatch itself may count a line twice, rarely.)

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use serde::Serialize;
use spillway_domain::time::Timestamp;

const NAMESPACE: &str = "Spillway";
/// The one dimension: the name of the deployment. More of them, or one of many values, would be dear.
const DIMENSION: &str = "Stack";
/// The format's limit of one metric's values in one line.
const VALUES_MAX: usize = 100;

/// What is counted and measured. A variant's name is its name in CloudWatch, which the template's alarms use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub enum Metric {
    /// Payments that became succeeded.
    PaymentsSucceeded,
    /// Payments that became failed, declined ones too.
    PaymentsFailed,
    /// Calls whose outcome the processor did not tell, each noted in its payment.
    OutcomesUnknown,
    /// Charges that appeared after their payment had failed, and were given back. Somebody should know of each, so this
    /// one is counted before the commit: two copies of a message that undo the same charge count it twice.
    LateChargesUndone,
    /// Operations that the processor did not know of at two look-ups, and that were called again under their key.
    OperationsCalledAgain,
    /// How long each call of the processor took, whatever came of it.
    ProcessorLatency,
    /// Movements that became part of a balance.
    MovementsFolded,
    /// Attempts to deliver an event that were answered with 2xx, each noted in its delivery.
    WebhooksDelivered,
    /// All other attempts, each noted in its delivery; an event that is tried five times in vain counts five times.
    WebhooksFailed,
    /// From an event to its delivery, where the first attempt, which is made at once, delivered it.
    WebhookLatency,
    /// Messages that were sent for what was overdue.
    DueEnqueued,
    /// Claims of what was claimed twice before and is still not finished: something does not work.
    DueOverdue,
    /// Messages, and changes of the stream, whose work failed; they come again. To Lambda such an invocation went well,
    /// so its own metrics do not have them.
    WorkFailed,
    /// Items that did not read as what their keys say, counted each time they are met; an error line names each.
    ItemsUnreadable,
}

/// A metric's unit, as CloudWatch names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub enum Unit {
    /// Added up over an invocation.
    Count,
    /// Each value told by itself, so that CloudWatch knows percentiles.
    Milliseconds,
}

impl Metric {
    /// Its unit.
    pub fn unit(self) -> Unit {
        match self {
            Metric::PaymentsSucceeded
            | Metric::PaymentsFailed
            | Metric::OutcomesUnknown
            | Metric::LateChargesUndone
            | Metric::OperationsCalledAgain
            | Metric::MovementsFolded
            | Metric::WebhooksDelivered
            | Metric::WebhooksFailed
            | Metric::DueEnqueued
            | Metric::DueOverdue
            | Metric::WorkFailed
            | Metric::ItemsUnreadable => Unit::Count,
            Metric::ProcessorLatency | Metric::WebhookLatency => Unit::Milliseconds,
        }
    }
}

/// What was counted and measured since the invocation began. (An environment handles one invocation at a time.)
#[derive(Debug, Default)]
pub struct Metrics(Mutex<BTreeMap<Metric, Vec<u64>>>);

impl Metrics {
    /// Adds `value` to a count, or to the values of a measure. No occurrence is nothing to tell.
    pub fn add(&self, metric: Metric, value: u64) {
        if metric.unit() == Unit::Count && value == 0 {
            return;
        }
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let values = all.entry(metric).or_default();
        match (metric.unit(), values.first_mut()) {
            (Unit::Count, Some(sum)) => *sum = sum.saturating_add(value),
            (Unit::Count, None) | (Unit::Milliseconds, _) => values.push(value),
        }
    }

    /// Adds as many as there are of something.
    pub fn add_all(&self, metric: Metric, count: usize) {
        self.add(metric, u64::try_from(count).unwrap_or(u64::MAX));
    }

    /// Adds how long something took.
    pub fn took(&self, metric: Metric, time: Duration) {
        self.add(metric, u64::try_from(time.as_millis()).unwrap_or(u64::MAX));
    }

    /// Takes all that was counted, for as many lines as it needs: none if there is nothing, and hardly ever more than
    /// one.
    pub fn take<'a>(&self, stack: &'a str, now: Timestamp) -> Vec<Embedded<'a>> {
        let mut all = std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner));
        let mut lines = Vec::new();
        while !all.is_empty() {
            let (mut values, mut rest) = (BTreeMap::new(), BTreeMap::new());
            for (metric, mut of_metric) in all {
                let beyond = of_metric.split_off(of_metric.len().min(VALUES_MAX));
                values.insert(metric, Values::from(of_metric));
                if !beyond.is_empty() {
                    rest.insert(metric, beyond);
                }
            }
            lines.push(Embedded::new(values, stack, now));
            all = rest;
        }
        lines
    }
}

/// The members of a line that make it one of metrics.
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
    fn counts_are_added_up_and_times_are_told_one_by_one() {
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
        assert!(lines(&metrics).is_empty(), "told once");
    }

    #[test]
    fn where_nothing_happened_nothing_is_told() {
        let metrics = Metrics::default();
        metrics.add_all(Metric::DueEnqueued, 0);
        assert!(lines(&metrics).is_empty());
    }

    #[test]
    fn more_values_than_a_line_may_hold_are_told_in_several_lines() {
        let metrics = Metrics::default();
        metrics.add(Metric::WebhooksDelivered, 201);
        (0..201).for_each(|value| metrics.add(Metric::WebhookLatency, value));
        let lines = lines(&metrics);
        let values = |line: &Value| match &line["WebhookLatency"] {
            Value::Array(values) => values.clone(),
            one => vec![one.clone()],
        };
        let told: Vec<Vec<Value>> = lines.iter().map(values).collect();
        assert_eq!(told.iter().map(Vec::len).collect::<Vec<_>>(), [100, 100, 1]);
        assert_eq!(told.concat(), (0..201).map(Value::from).collect::<Vec<_>>());
        let counted: Vec<_> = lines.iter().filter_map(|line| line.get("WebhooksDelivered")).collect();
        assert_eq!(counted, [201]);
    }
}
