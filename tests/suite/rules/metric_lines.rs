//! The metrics in the lines that functions print, for the tests of counts and of gauges.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::{Map, Value, json};
use spillway_tests::receiver::{Receiver, Reply};
use spillway_tests::{Deadline, Merchant, Options, Stack, Template, event, eventually};

/// Every count and measure, and its unit.
pub(super) const METRICS: [(&str, &str); 17] = [
    ("PaymentsSucceeded", "Count"),
    ("PaymentsFailed", "Count"),
    ("PaymentsRefused", "Count"),
    ("OutcomesUnknown", "Count"),
    ("LateChargesUndone", "Count"),
    ("OperationsCalledAgain", "Count"),
    ("ProcessorLatency", "Milliseconds"),
    ("MovementsFolded", "Count"),
    ("BalancesBehind", "Count"),
    ("WebhooksDelivered", "Count"),
    ("WebhooksFailed", "Count"),
    ("WebhookLatency", "Milliseconds"),
    ("WebhooksGivenUp", "Count"),
    ("DueEnqueued", "Count"),
    ("DueOverdue", "Count"),
    ("WorkFailed", "Count"),
    ("ItemsUnreadable", "Count"),
];
/// Every gauge and its unit. Each sweep sets all of them.
pub(super) const GAUGES: [(&str, &str); 6] = [
    ("OperationsUnfinished", "Count"),
    ("OldestOperation", "Seconds"),
    ("EventsUndelivered", "Count"),
    ("OldestEvent", "Seconds"),
    ("DeliveriesWaiting", "Count"),
    ("OldestDelivery", "Seconds"),
];
const FUNCTIONS: [&str; 7] = [
    "call-processor",
    "create-merchant",
    "create-payment",
    "deliver-webhook",
    "dispatch-changes",
    "enqueue-due",
    "fold-balance",
];
/// Longer than any test.
pub(super) const HOUR_MS: u64 = 3_600_000;

/// All values by metric.
pub(super) type Metrics = BTreeMap<String, Vec<u64>>;

/// Metrics but gauges in the lines of all functions so far.
pub(super) fn recorded(stack: &Stack) -> Metrics {
    let mut recorded = Metrics::new();
    for line in FUNCTIONS.iter().flat_map(|name| lines(stack, name)) {
        for (metric, values) in metrics(&line).into_iter().filter(|(name, _)| !is_gauge(name)) {
            recorded.entry(metric).or_default().extend(values);
        }
    }
    recorded
}

fn is_gauge(metric: &str) -> bool {
    GAUGES.iter().any(|(name, _)| *name == metric)
}

/// The gauges that a sweep sets now, which must succeed.
pub(super) async fn gauges(stack: &Stack) -> BTreeMap<String, u64> {
    let (swept, gauges) = sweep(stack).await;
    swept.unwrap();
    gauges
}

/// The answer of a sweep, and the gauges that it sets.
pub(super) async fn sweep(stack: &Stack) -> (Result<Value, Value>, BTreeMap<String, u64>) {
    let with_metrics = || {
        let lines = lines(stack, "enqueue-due").into_iter();
        lines.filter(|line| line.contains_key("_aws")).collect::<Vec<_>>()
    };
    let before = with_metrics().len();
    let answer = stack.invoke("enqueue-due", &event::tick()).await;
    // The line may come later than the response.
    let line = eventually("the sweep has printed its metrics", Deadline::SOON, async || {
        with_metrics().into_iter().nth(before).ok_or_else(|| format!("{before} lines"))
    })
    .await;
    let gauges = metrics(&line).into_iter().filter(|(name, _)| is_gauge(name));
    let gauges = gauges
        .map(|(name, values)| {
            let [value] = values[..] else { panic!("{name} has {values:?}") };
            (name, value)
        })
        .collect();
    (answer, gauges)
}

/// The lines of all processes of a function, the oldest first.
pub(super) fn lines(stack: &Stack, function: &str) -> Vec<Map<String, Value>> {
    let printed = stack.printed(function).concat();
    let mut lines: Vec<Map<String, Value>> = printed.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    lines.sort_by_key(|line| line.get("timestamp").map(Value::to_string));
    lines
}

/// The metrics of a line: all of the format's members, or none.
fn metrics(line: &Map<String, Value>) -> Metrics {
    let strange: BTreeSet<&str> =
        line.keys().map(String::as_str).filter(|name| !name.starts_with(char::is_lowercase)).collect();
    let Some(metadata) = line.get("_aws") else {
        assert!(strange.is_empty(), "{line:?}");
        return Metrics::new();
    };
    let now_ms = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis();
    let age_ms = now_ms.checked_sub(metadata["Timestamp"].as_u64().unwrap().into()).unwrap();
    assert!(age_ms < HOUR_MS.into(), "{line:?}");
    let definitions = metadata["CloudWatchMetrics"][0]["Metrics"].clone();
    let directive = json!({"Namespace": "Spillway", "Dimensions": [["Stack"]], "Metrics": definitions});
    assert_eq!(*metadata, json!({"Timestamp": metadata["Timestamp"], "CloudWatchMetrics": [directive]}));
    assert!(line["Stack"].as_str().is_some_and(|stack| !stack.is_empty()), "{line:?}");
    let mut recorded = Metrics::new();
    for definition in definitions.as_array().unwrap() {
        let name = definition["Name"].as_str().unwrap();
        let unit = METRICS.iter().chain(&GAUGES).find(|(known, _)| *known == name).unwrap().1;
        assert_eq!(*definition, json!({"Name": name, "Unit": unit}));
        let values = match &line[name] {
            Value::Array(values) => values.clone(),
            one => vec![one.clone()],
        };
        assert!((1..=100).contains(&values.len()), "{line:?}");
        let values = values.iter().map(|value| value.as_u64().unwrap()).collect();
        assert_eq!(recorded.insert(name.to_owned(), values), None, "{name} twice: {line:?}");
    }
    let members = recorded.keys().map(String::as_str).chain(["_aws", "Stack"]);
    assert_eq!(strange, members.collect::<BTreeSet<&str>>(), "{line:?}");
    recorded
}

/// A stack without triggers in which nothing is due by itself, with a merchant and an endpoint that answers as told.
pub(super) async fn quiet(replies: Vec<Reply>) -> (Stack, Merchant, Receiver, String) {
    let options = Options::new().knob("FIRST_DUE_SECONDS", 3600).knob("WEBHOOK_WAITS_SECONDS", 3600);
    let options = options.store_proxy().keep_lines().unkilled();
    let stack = Stack::start(options.template(Template::without_triggers())).await;
    let merchant = stack.new_merchant().await;
    let receiver = Receiver::scripted(replies).await;
    let endpoint = merchant.client.create_webhook_endpoint(receiver.url(), &["payment.*"]).await;
    let endpoint = endpoint["id"].as_str().unwrap().to_owned();
    (stack, merchant, receiver, endpoint)
}
