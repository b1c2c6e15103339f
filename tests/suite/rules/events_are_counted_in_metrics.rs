//! Log lines report each commit to CloudWatch once, in its embedded metric format, and nothing without a commit.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::RangeInclusive;
use std::time::{SystemTime, UNIX_EPOCH};

use futures::future::join;
use serde_json::{Map, Value, json};
use spillway_tests::oracle::{Books, settled};
use spillway_tests::queues::copies;
use spillway_tests::receiver::{Receiver, Reply};
use spillway_tests::store_proxy::{Fault, Matching};
use spillway_tests::{Deadline, Merchant, Options, Stack, Template, clock, event, eventually};

/// Every count and measure, and its unit.
const METRICS: [(&str, &str); 15] = [
    ("PaymentsSucceeded", "Count"),
    ("PaymentsFailed", "Count"),
    ("OutcomesUnknown", "Count"),
    ("LateChargesUndone", "Count"),
    ("OperationsCalledAgain", "Count"),
    ("ProcessorLatency", "Milliseconds"),
    ("MovementsFolded", "Count"),
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
const GAUGES: [(&str, &str); 6] = [
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
const HOUR_MS: u64 = 3_600_000;

/// All values by metric.
type Metrics = BTreeMap<String, Vec<u64>>;

/// Metrics but gauges in the lines of all functions so far.
fn recorded(stack: &Stack) -> Metrics {
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
async fn gauges(stack: &Stack) -> BTreeMap<String, u64> {
    let counted = || lines(stack, "enqueue-due").iter().filter(|line| line.contains_key("_aws")).count();
    let before = counted();
    stack.invoke("enqueue-due", &event::tick()).await.unwrap();
    // The line may come later than the response.
    eventually("the sweep has printed its gauges", Deadline::SOON, async || {
        if counted() > before { Ok(()) } else { Err(format!("{before} lines")) }
    })
    .await;
    last_gauges(stack)
}

/// The gauges of the last sweep.
fn last_gauges(stack: &Stack) -> BTreeMap<String, u64> {
    let lines = lines(stack, "enqueue-due");
    let gauges = metrics(lines.last().unwrap()).into_iter().filter(|(name, _)| is_gauge(name));
    gauges
        .map(|(name, values)| {
            let [value] = values[..] else { panic!("{name} has {values:?}") };
            (name, value)
        })
        .collect()
}

fn lines(stack: &Stack, function: &str) -> Vec<Map<String, Value>> {
    let printed = stack.printed(function).concat();
    printed.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
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

/// Sum of each count, and number of values of each duration.
fn totals(recorded: &Metrics) -> BTreeMap<&str, u64> {
    let total = |(name, values): (&'static str, &Vec<u64>)| {
        let measured = METRICS.contains(&(name, "Milliseconds"));
        (name, if measured { values.len() as u64 } else { values.iter().sum() })
    };
    METRICS.iter().filter_map(|(name, _)| recorded.get(*name).map(|values| (*name, values))).map(total).collect()
}

/// This many; if messages arrive twice and copies race, between `least` and `most`.
fn about(count: u64, least: u64, most: u64) -> RangeInclusive<u64> {
    if copies() == 1 { count..=count } else { least..=most }
}

/// Waits for exactly these totals; a total of 0 means that the metric is absent.
async fn recorded_exactly(stack: &Stack, expected: &[(&str, RangeInclusive<u64>)]) -> Metrics {
    eventually("every metric has its total", Deadline::LATER, async || {
        let recorded = recorded(stack);
        let totals = totals(&recorded);
        let right = expected.iter().all(|(name, range)| range.contains(totals.get(name).unwrap_or(&0)));
        let only = totals.iter().all(|(name, total)| *total > 0 && expected.iter().any(|(known, _)| known == name));
        if right && only { Ok(()) } else { Err(format!("{totals:?}, not {expected:?}")) }
    })
    .await;
    recorded(stack)
}

async fn nothing_is_enqueued(stack: &Stack) {
    let queues = stack.queues();
    eventually("the queues are empty", Deadline::LATER, async || {
        for url in queues.work_urls().await {
            let depth = queues.depth(&url).await;
            if depth > 0 {
                return Err(format!("{depth} messages in {url}"));
            }
        }
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn payments_folds_and_webhooks_are_counted_once_each() {
    let knobs = [("PROCESSOR_WAITS_SECONDS", "1"), ("WEBHOOK_WAITS_SECONDS", "1,1"), ("FOLD_DELAY_SECONDS", "0")];
    let options = knobs.into_iter().fold(Options::new(), |options, (name, value)| options.knob(name, value));
    let stack = Stack::start(options.keep_lines().unkilled()).await;
    let merchant = stack.new_merchant().await;
    let receiver = Receiver::scripted([Reply::Status(500)]).await;
    merchant.client.create_webhook_endpoint(receiver.url(), &["payment.*"]).await;
    let tokens =
        ["tok_visa", "tok_visa", "tok_visa", "tok_declined", "tok_expired_card", "tok_timeout_then_ok", "tok_slow"];
    for token in tokens {
        merchant.client.pay(1250, "USD", token).await;
    }
    settled(&stack, &merchant.tenant(), tokens.len()).await;
    let expected = [
        ("PaymentsSucceeded", 5..=5),
        ("PaymentsFailed", 2..=2),
        // Another copy may have got an answer before this one recorded the missing answer.
        ("OutcomesUnknown", about(1, 0, 1)),
        ("ProcessorLatency", about(8, 8, 16)),
        ("MovementsFolded", 5..=5),
        ("WebhooksDelivered", 7..=7),
        // Two copies may both make the first attempt; the one that is stored first counts.
        ("WebhooksFailed", about(1, 0, 1)),
        ("WebhookLatency", about(6, 6, 7)),
        // Two copies may conflict too often at the store; then one is retried.
        ("WorkFailed", about(0, 0, 10)),
    ];
    recorded_exactly(&stack, &expected).await;
    // Later copies count nothing more.
    nothing_is_enqueued(&stack).await;
    let recorded = recorded_exactly(&stack, &expected).await;
    // Both in milliseconds: tok_slow takes two seconds, and nothing takes an hour.
    assert!(recorded["ProcessorLatency"].iter().any(|took| (2000..HOUR_MS).contains(took)), "{recorded:?}");
    assert!(recorded["WebhookLatency"].iter().all(|took| *took < HOUR_MS), "{recorded:?}");
}

#[tokio::test]
async fn an_outcome_that_two_copies_leave_unknown_is_counted_once() {
    let options = Options::new().knob("PROCESSOR_WAITS_SECONDS", "60").store_proxy().keep_lines().unkilled();
    let stack = Stack::start(options.template(Template::without_triggers())).await;
    let merchant = stack.new_merchant().await;
    let id = merchant.client.pay(1250, "USD", "tok_unavailable").await;
    let message = event::sqs(&[event::payment_message(&merchant.id, &id)]);
    // Both copies lack an answer before either may store that.
    let hold = stack.store_proxy().hold(2, Matching::operation("UpdateItem").with("\"asking\""));
    let work = || stack.invoke("call-processor", &message);
    let all_done = Ok(json!({"batchItemFailures": []}));
    tokio::select! {
        both = join(work(), work()) => assert_eq!(both, (all_done.clone(), all_done)),
        () = async { hold.reached(2).await; hold.forward(); std::future::pending().await } => unreachable!(),
    }
    recorded_exactly(&stack, &[("OutcomesUnknown", 1..=1), ("ProcessorLatency", 2..=2)]).await;
    // The other copy does not say that the payment is settled.
    let mut outcomes: Vec<String> = lines(&stack, "call-processor")
        .iter()
        .map(|line| line["subjects"][0]["outcome"].as_str().unwrap().to_owned())
        .collect();
    outcomes.sort();
    assert_eq!(outcomes[0], "another copy of the message was faster, and its result counts");
    assert!(outcomes[1].starts_with("no answer, again in "), "{outcomes:?}");
    assert_eq!((outcomes.len(), &merchant.client.payment(&id).await["status"]), (2, &json!("processing")));
}

#[tokio::test]
async fn a_late_charge_is_counted_at_any_log_level() {
    // Look-ups only, without waits.
    let knobs = ["REPEATABLE_FOR_SECONDS", "PROCESSOR_WAITS_SECONDS", "ABSENT_AGAIN_SECONDS", "LAST_LOOK_SECONDS"];
    let options = knobs.into_iter().fold(Options::new(), |options, name| options.knob(name, 0));
    let options = options.store_proxy().knob("LOG_LEVEL", "error").keep_lines().unkilled();
    let stack = Stack::start(options.template(Template::without_triggers())).await;
    let merchant = stack.new_merchant().await;
    let id = merchant.client.pay(1250, "USD", "tok_visa").await;
    let message = event::sqs(&[event::payment_message(&merchant.id, &id)]);
    let work = async || stack.invoke("call-processor", &message).await.unwrap();
    let counted = async |expected: &[(&str, u64)]| {
        let expected: Vec<_> = expected.iter().map(|(name, count)| (*name, *count..=*count)).collect();
        recorded_exactly(&stack, &expected).await;
    };
    // Absent, as the processor answered: no outcome is unknown. Absent twice means failed.
    work().await;
    counted(&[("ProcessorLatency", 1)]).await;
    work().await;
    counted(&[("ProcessorLatency", 2), ("PaymentsFailed", 1)]).await;
    // The processor charged after all, without a reply.
    let late = json!({"Key": {"pk": {"S": format!("sandbox#{id}")}, "sk": {"S": format!("{id}/authorize")}},
        "UpdateExpression": "SET charges = :one, calls = :one", "ExpressionAttributeValues": {":one": {"N": "1"}}});
    stack.table().call("UpdateItem", late).await;
    // The charge is undone, and counted even if the write fails: the next look-up might not find it any more.
    let ends = Matching::operation("UpdateItem").with("\"asking\"");
    stack.store_proxy().fault(usize::MAX, ends, Fault::Error("InternalServerError"));
    work().await;
    counted(&[("ProcessorLatency", 4), ("PaymentsFailed", 1), ("LateChargesUndone", 1), ("WorkFailed", 1)]).await;
    stack.store_proxy().heal();
    work().await;
    let undone = [("ProcessorLatency", 6), ("PaymentsFailed", 1), ("LateChargesUndone", 2), ("WorkFailed", 1)];
    counted(&undone).await;
    // A late message finds no work.
    work().await;
    counted(&undone).await;
    let lines = lines(&stack, "call-processor");
    assert!(lines.iter().all(|line| line["level"] == "ERROR" || line["message"] == "metrics"), "{lines:?}");
    // The failed line is not filtered.
    assert!(lines.iter().filter(|line| line["message"] == "metrics").count() == 3, "{lines:?}");
}

#[tokio::test]
async fn an_item_claimed_three_times_is_stuck() {
    let options = Options::new().knob("FIRST_DUE_SECONDS", 1).knob("CLAIM_SECONDS", 1).keep_lines().unkilled();
    let stack = Stack::start(options.template(Template::without_triggers())).await;
    let merchant = stack.new_merchant().await;
    merchant.client.pay(1250, "USD", "tok_visa").await;
    let queues = stack.queues();
    let queue = queues.url("ProcessorQueue").await;
    for enqueued in 1..=4 {
        eventually("it is claimed", Deadline::LATER, async || {
            stack.run_due().await;
            let depth = queues.depth(&queue).await;
            if depth == enqueued * copies() { Ok(()) } else { Err(format!("{depth} messages, {enqueued} expected")) }
        })
        .await;
        let stuck = u64::saturating_sub(enqueued, 2);
        recorded_exactly(&stack, &[("DueEnqueued", enqueued..=enqueued), ("DueOverdue", stuck..=stuck)]).await;
    }
}

#[tokio::test]
async fn failed_work_is_counted_without_a_lambda_error() {
    let stack = Stack::start(Options::new().template(Template::without_triggers()).keep_lines().unkilled()).await;
    let rubbish = |count: usize| event::stream(&vec![("rubbish".to_owned(), "payment".to_owned()); count]);
    let counted = async |count: u64| recorded_exactly(&stack, &[("WorkFailed", count..=count)]).await;
    let answer = stack.invoke("dispatch-changes", &rubbish(1)).await.unwrap();
    assert_eq!(answer["batchItemFailures"], json!([{"itemIdentifier": "1"}]));
    counted(1).await;
    stack.invoke("dispatch-changes", &rubbish(2)).await.unwrap_err();
    counted(2).await;
    let answer = stack.invoke("fold-balance", &event::sqs(&[json!("rubbish"), json!("rubbish")])).await.unwrap();
    assert_eq!(answer["batchItemFailures"], json!([{"itemIdentifier": "m0"}, {"itemIdentifier": "m1"}]));
    counted(4).await;
}

/// A stack without triggers in which nothing is due by itself, with a merchant and an endpoint that answers as told.
async fn gauged(replies: Vec<Reply>) -> (Stack, Merchant, Receiver, String) {
    let options = Options::new().knob("FIRST_DUE_SECONDS", 3600).knob("WEBHOOK_WAITS_SECONDS", 3600);
    let options = options.store_proxy().keep_lines().unkilled();
    let stack = Stack::start(options.template(Template::without_triggers())).await;
    let merchant = stack.new_merchant().await;
    let receiver = Receiver::scripted(replies).await;
    let endpoint = merchant.client.create_webhook_endpoint(receiver.url(), &["payment.*"]).await;
    let endpoint = endpoint["id"].as_str().unwrap().to_owned();
    (stack, merchant, receiver, endpoint)
}

#[tokio::test]
async fn a_sweep_gauges_payments_in_processing() {
    let (stack, merchant, ..) = gauged(Vec::new()).await;
    let nothing = GAUGES.map(|(name, _)| (name.to_owned(), 0));
    assert_eq!(gauges(&stack).await, nothing.into());
    let payments =
        [merchant.client.pay(1250, "USD", "tok_visa").await, merchant.client.pay(1250, "USD", "tok_visa").await];
    let gauged = async || {
        let gauges = gauges(&stack).await;
        (gauges["OperationsUnfinished"], gauges["OldestOperation"])
    };
    let update = async |payment: &str, expression: &str, values: Value| {
        stack.table().update(&format!("{}#{payment}", merchant.tenant()), "payment", expression, values).await;
    };
    // One has waited for two hours, and its message for the next call is on its way, as the other's for the first.
    let waiting = json!({":since": {"S": clock::in_seconds(-7200)}});
    update(&payments[0], "SET asking.since = :since", waiting).await;
    assert_eq!(gauged().await, (2, 0));
    // The message was lost.
    update(&payments[0], "SET due_at = :past", json!({":past": {"S": clock::in_seconds(-60)}})).await;
    // The sweep sees it before the claim, and each later sweep while it is claimed.
    for _ in 0..2 {
        let (number, oldest) = gauged().await;
        assert!(number == 2 && (7200..10_800).contains(&oldest), "{number} {oldest}");
    }
    // A failed payment that waits for its last look-up waits as planned.
    let undo = json!({":undo": {"S": "undo"}});
    update(&payments[0], "SET asking.verb = :undo", undo).await;
    assert_eq!(gauged().await, (2, 0));
    // The processor gave no answer for three hours: the next call is later than any first due time.
    let put_off = json!({":since": {"S": clock::in_seconds(-10_800)}, ":later": {"S": clock::in_seconds(7300)}});
    update(&payments[1], "SET asking.since = :since, due_at = :later", put_off).await;
    let (number, oldest) = gauged().await;
    assert!(number == 2 && (10_800..14_400).contains(&oldest), "{number} {oldest}");
    // A balance is due each day, and is no operation.
    for payment in &payments {
        update(payment, "REMOVE due, due_at", json!({})).await;
    }
    let balance = json!({"pk": {"S": format!("{}#balances", merchant.tenant())}, "sk": {"S": "USD"},
        "due": {"S": "due#money#0"}, "due_at": {"S": clock::in_seconds(60)}});
    stack.table().put(balance).await;
    assert_eq!(gauged().await, (0, 0));
}

#[tokio::test]
async fn a_sweep_gauges_events_and_deliveries() {
    let (stack, merchant, receiver, endpoint) = gauged(vec![Reply::Status(500)]).await;
    let payment = merchant.client.pay(1250, "USD", "tok_visa").await;
    stack.invoke("call-processor", &event::sqs(&[event::payment_message(&merchant.id, &payment)])).await.unwrap();
    let gauged = async || {
        let gauges = gauges(&stack).await;
        let of = |number: &str, oldest: &str| (gauges[number], gauges[oldest]);
        (of("EventsUndelivered", "OldestEvent"), of("DeliveriesWaiting", "OldestDelivery"))
    };
    let ((events, oldest), deliveries) = gauged().await;
    assert!(events == 1 && oldest < 3600 && deliveries == (0, 0), "{events} {oldest} {deliveries:?}");
    let books = Books::read(&stack.table(), &merchant.tenant()).await;
    let id = books.events[0]["sk"].as_str().unwrap();
    stack.invoke("deliver-webhook", &event::sqs(&[event::event_message(&merchant.id, id)])).await.unwrap();
    assert_eq!(receiver.count(), 1);
    let (events, (deliveries, oldest)) = gauged().await;
    assert!(events == (0, 0) && deliveries == 1 && oldest < 3600, "{events:?} {deliveries} {oldest}");
    // The same delivery of an event from the beginning of 1970, since when 1.7 billion seconds have passed.
    let tenant = merchant.tenant();
    let mut delivery = stack.table().raw_item(&format!("{tenant}#{id}"), &endpoint).await;
    delivery["pk"] = json!({"S": format!("{tenant}#evt_{:026}", 0)});
    stack.table().put(delivery).await;
    let (_, (deliveries, oldest)) = gauged().await;
    assert!(deliveries == 2 && oldest > 1_700_000_000, "{deliveries} {oldest}");
}

#[tokio::test]
async fn a_gauge_without_all_its_partitions_is_not_set() {
    let (stack, ..) = gauged(Vec::new()).await;
    stack.store_proxy().fault(
        usize::MAX,
        Matching::operation("Query").with("due#money#5\""),
        Fault::Error("ValidationException"),
    );
    stack.invoke("enqueue-due", &event::tick()).await.unwrap_err();
    let set: Vec<String> = last_gauges(&stack).into_keys().collect();
    assert_eq!(set, ["DeliveriesWaiting", "EventsUndelivered", "OldestDelivery", "OldestEvent"]);
}

#[tokio::test]
async fn a_delivery_counts_as_given_up_unless_its_merchant_chose_so() {
    // The first delivery ends by its last attempt. The second and third fail once.
    let (stack, merchant, _receiver, endpoint) =
        gauged(vec![Reply::Status(410), Reply::Status(500), Reply::Status(500)]).await;
    let change = async |version: u64, change: Value| {
        merchant.client.webhook_endpoint_change(&endpoint, version, &change).send().await.expect(200);
    };
    let failing = async || {
        let payment = merchant.client.pay(1250, "USD", "tok_visa").await;
        stack.invoke("call-processor", &event::sqs(&[event::payment_message(&merchant.id, &payment)])).await.unwrap();
        let books = Books::read(&stack.table(), &merchant.tenant()).await;
        let id = books.events_of(&payment)[0]["sk"].as_str().unwrap().to_owned();
        stack.invoke("deliver-webhook", &event::sqs(&[event::event_message(&merchant.id, &id)])).await.unwrap();
        id
    };
    // Its next attempt is due.
    let retried = async |id: &str| {
        let pk = format!("{}#{id}", merchant.tenant());
        let past = json!({":past": {"S": clock::in_seconds(-5)}});
        stack.table().update(&pk, &endpoint, "SET next_attempt_at = :past", past).await;
        let message = event::delivery_message(&merchant.id, id, &endpoint);
        stack.invoke("deliver-webhook", &event::sqs(&[message])).await.unwrap();
        assert_eq!(stack.table().item(&pk, &endpoint).await.unwrap()["status"], "failed");
    };
    let given_up = || recorded(&stack).get("WebhooksGivenUp").map_or(0, |values| values.iter().sum());
    failing().await;
    assert_eq!(given_up(), 1, "410");
    change(2, json!({"status": "enabled"})).await;
    let [second, third] = [failing().await, failing().await];
    change(3, json!({"status": "disabled"})).await;
    retried(&second).await;
    assert_eq!(given_up(), 2, "the endpoint is disabled");
    change(4, json!({"status": "enabled", "event_types": ["refund.*"]})).await;
    retried(&third).await;
    assert_eq!(given_up(), 2, "the endpoint no longer wants the event");
}
