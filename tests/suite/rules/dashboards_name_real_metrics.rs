//! Dashboards and Prometheus rules name metrics that the code emits, and the dashboards show every metric of Spillway's
//! own. The names of the runner's metrics are those of a real page.

use std::collections::BTreeSet;
use std::fs;

use serde_json::{Value, json};
use spillway_tests::make::root;
use spillway_tests::metrics::{OWN, emitted};
use spillway_tests::queues::copies;
use spillway_tests::{Deadline, Options, Stack, Template, eventually};

use super::alarms_name_real_metrics::{Metric, OF_AWS, is_emitted, searched};
use super::metric_lines::{GAUGES, METRICS};

fn file(name: &str) -> String {
    fs::read_to_string(root().join("infra/dashboards").join(name)).unwrap()
}

fn json_file(name: &str) -> Value {
    serde_json::from_str(&file(name)).unwrap()
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_else(|| panic!("{value} is no text"))
}

/// The targets of a dashboard of Grafana.
fn targets(name: &str) -> Vec<Value> {
    let panels = json_file(name)["panels"].as_array().unwrap().clone();
    panels.iter().flat_map(|panel| panel["targets"].as_array().unwrap().clone()).collect()
}

/// `PaymentsSucceeded` as `payments_succeeded`.
fn snake_case(name: &str) -> String {
    let parts = name.char_indices().map(|(place, letter)| match letter {
        'A'..='Z' if place > 0 => format!("_{}", letter.to_ascii_lowercase()),
        _ => letter.to_ascii_lowercase().to_string(),
    });
    parts.collect()
}

/// The names that Spillway's own metrics have in Prometheus, by their names in CloudWatch.
fn own_in_prometheus() -> BTreeSet<(String, String)> {
    let name = |name: &str, unit: &str, is_gauge: bool| match (unit, is_gauge) {
        ("Count", false) => format!("spillway_{}_total", snake_case(name)),
        ("Count", true) => format!("spillway_{}", snake_case(name)),
        ("Seconds", _) => format!("spillway_{}_seconds", snake_case(name)),
        (_, _) => format!("spillway_{}_seconds_bucket", snake_case(name)),
    };
    let counts = METRICS.into_iter().map(|(metric, unit)| (metric.to_owned(), name(metric, unit, false)));
    counts.chain(GAUGES.into_iter().map(|(metric, unit)| (metric.to_owned(), name(metric, unit, true)))).collect()
}

/// The names of metrics in an expression.
fn names(expression: &str) -> impl Iterator<Item = &str> {
    let words = expression.split(|letter: char| !letter.is_ascii_alphanumeric() && !"_:".contains(letter));
    let prefixes = ["spillway_", "spillway:", "apigateway_", "lambda_", "sqs_"];
    words.filter(move |word| prefixes.iter().any(|prefix| word.starts_with(prefix)))
}

/// The names on the runner's page.
async fn on_the_page() -> BTreeSet<String> {
    let stack = Stack::start(Options::new()).await;
    stack.new_merchant().await.client.paid(1250, "USD").await;
    let page = stack.metrics_page().await;
    let kinds = page.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split_once(' '));
    kinds.map(|(name, kind)| if kind == "histogram" { format!("{name}_bucket") } else { name.to_owned() }).collect()
}

#[tokio::test]
async fn prometheus_expressions_name_metrics_of_the_runner() {
    let page = on_the_page().await;
    let own = own_in_prometheus();
    assert_eq!(own.iter().map(|(name, _)| name.clone()).collect::<BTreeSet<_>>(), emitted());
    // What the payment has counted is on the page under the name that is computed here.
    for name in ["spillway_payments_succeeded_total", "spillway_processor_latency_seconds_bucket"] {
        assert!(page.contains(name) && own.iter().any(|(_, computed)| computed == name), "{name}: {page:?}");
    }
    let rules = file("rules.yaml");
    let recorded: BTreeSet<&str> = rules.lines().filter_map(|line| line.trim().strip_prefix("- record: ")).collect();
    let code: Vec<&str> = rules.lines().filter(|line| !line.trim().starts_with('#')).collect();
    let targets = targets("grafana-prometheus.json");
    let expressions = targets.iter().map(|target| text(&target["expr"])).chain(code);
    let mut shown = BTreeSet::new();
    for name in expressions.flat_map(names) {
        let found = own.iter().find(|(_, computed)| computed == name);
        assert!(found.is_some() || recorded.contains(name) || page.contains(name), "nobody emits {name}");
        shown.extend(found.map(|(metric, _)| metric.clone()));
    }
    assert_eq!(shown, emitted(), "shown, and emitted");
}

#[test]
fn cloudwatch_targets_name_metrics_of_cloudwatch() {
    let metric = |target: &Value| -> Metric {
        match text(&target["expression"]) {
            "" => {
                let dimensions = target["dimensions"].as_object().unwrap().keys().cloned();
                let [namespace, name] = ["namespace", "metricName"].map(|part| text(&target[part]).to_owned());
                (namespace, name, dimensions.collect())
            }
            search => searched(search),
        }
    };
    let shown: BTreeSet<Metric> = targets("grafana-cloudwatch.json").iter().map(metric).collect();
    let unknown: Vec<_> = shown.iter().filter(|metric| !is_emitted(metric, &emitted())).collect();
    assert!(unknown.is_empty(), "nobody emits {unknown:?}");
    let own = shown.into_iter().filter(|(namespace, ..)| namespace == OWN.0).map(|(_, name, _)| name);
    assert_eq!(own.collect::<BTreeSet<_>>(), emitted(), "shown, and emitted");
}

#[test]
fn datadog_queries_name_metrics_of_cloudwatch() {
    let own = |name: &String| format!("spillway.{}", snake_case(name));
    let of_aws = |(namespace, _, names): &(&str, &[&str], &'static [&str])| {
        let service = namespace.strip_prefix("AWS/").unwrap().to_ascii_lowercase();
        let is_gateway = service == "apigateway";
        let name = move |name: &&str| if is_gateway { name.to_ascii_lowercase() } else { snake_case(name) };
        names.iter().map(move |it| format!("aws.{service}.{}", name(it))).collect::<Vec<_>>()
    };
    let known: BTreeSet<String> = OF_AWS.iter().flat_map(of_aws).collect();
    let board = json_file("datadog.json");
    let widgets = board["widgets"].as_array().unwrap().iter();
    let queries = widgets.flat_map(|widget| widget["definition"]["requests"][0]["queries"].as_array().unwrap());
    let mut shown = BTreeSet::new();
    for query in queries {
        // As `max:aws.lambda.duration.p99{functionname:$stack.value*} by {functionname}`.
        let name = text(&query["query"]).split(['{', ':']).nth(1).unwrap();
        let name = ["p50", "p99"].iter().find_map(|suffix| name.strip_suffix(&format!(".{suffix}"))).unwrap_or(name);
        assert!(known.contains(name) || emitted().iter().any(|metric| own(metric) == name), "nobody emits {name}");
        shown.insert(name.to_owned());
    }
    shown.retain(|name| !known.contains(name));
    assert_eq!(shown, emitted().iter().map(own).collect(), "shown, and emitted");
}

#[tokio::test]
async fn the_page_shows_requests_queues_and_functions() {
    // With the stream's trigger, which names the queue of its failures.
    let template = Template::without_events(&["CallProcessor", "FoldBalance", "DeliverWebhook", "EnqueueDue"]);
    let stack = Stack::start(Options::new().template(template)).await;
    let merchant = stack.new_merchant().await;
    merchant.client.pay(1250, "USD", "tok_visa").await;
    merchant.client.get("/payments/pay_unknown").await.expect(404);
    merchant.client.get("/nothing").await.expect(404);
    let queues = stack.queues();
    let (work, dead) = (queues.url("FoldsQueue").await, queues.url("FoldsDeadLetters").await);
    queues.send(&dead, "rubbish").await;
    queues.call("SendMessage", json!({"QueueUrl": work, "MessageBody": "{}", "DelaySeconds": 900})).await;
    let queue = |kind: &str, name: &str, state: &str| {
        format!(r#"sqs_messages{{kind="{kind}",queue="{name}",state="{state}"}} {}"#, copies())
    };
    let name = |url: &str| url.rsplit('/').next().unwrap().to_owned();
    let dead_letter = queue("dead_letters", &name(&dead), "visible");
    let page = eventually("the dead letter is visible", Deadline::SOON, async || {
        let page = stack.metrics_page().await;
        if page.lines().any(|line| line == dead_letter) { Ok(page) } else { Err(page) }
    })
    .await;
    let has = |line: &str| assert!(page.lines().any(|each| each == line), "{line} is not in:\n{page}");
    has(r#"apigateway_requests_total{method="POST",route="/v1/payments",status="202"} 1"#);
    has(r#"apigateway_requests_total{method="POST",route="/v1/payments",status="503"} 0"#);
    has(r#"apigateway_requests_total{method="GET",route="/v1/payments/{payment_id}",status="404"} 1"#);
    has(r#"apigateway_requests_total{method="",route="",status="404"} 1"#);
    has(r#"apigateway_latency_seconds_count{method="POST",route="/v1/payments"} 1"#);
    has(r#"lambda_duration_seconds_count{function="create-payment"} 1"#);
    has(&queue("work", &name(&work), "delayed"));
    let failures = name(&queues.url("StreamFailures").await);
    has(&format!(r#"sqs_messages{{kind="dead_letters",queue="{failures}",state="visible"}} 0"#));
}
