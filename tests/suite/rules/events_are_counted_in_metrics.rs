//! Log lines report each commit to CloudWatch once, in its embedded metric format, and nothing without a commit.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;

use futures::future::join;
use serde_json::{Value, json};
use spillway_tests::oracle::{Books, settled};
use spillway_tests::queues::copies;
use spillway_tests::receiver::{Receiver, Reply};
use spillway_tests::store_proxy::{Fault, Matching};
use spillway_tests::{Deadline, Options, Stack, Template, clock, event, eventually};

use super::metric_lines::{HOUR_MS, METRICS, Metrics, lines, quiet, recorded};

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
    let knobs = [("PROCESSOR_WAITS_SECONDS", "1"), ("WEBHOOK_WAITS_SECONDS", "1,1")];
    let options = knobs.into_iter().fold(Options::new(), |options, (name, value)| options.knob(name, value));
    let stack = Stack::start(options.fold_at_once().keep_lines().unkilled()).await;
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
    assert!(outcomes[1].starts_with("outcome unknown, again in "), "{outcomes:?}");
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

#[tokio::test]
async fn a_delivery_counts_as_given_up_unless_its_merchant_chose_so() {
    // The first delivery ends by its last attempt. The second and third fail once.
    let (stack, merchant, _receiver, endpoint) =
        quiet(vec![Reply::Status(410), Reply::Status(500), Reply::Status(500)]).await;
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
    // Their lines may come later than the responses.
    let given_up = async |attempts: usize| -> u64 {
        eventually("each attempt has its line", Deadline::SOON, async || {
            let lines = lines(&stack, "deliver-webhook");
            let printed = lines.iter().filter(|line| line["message"] == "invocation").count();
            if printed == attempts { Ok(()) } else { Err(format!("{printed} of {attempts}")) }
        })
        .await;
        recorded(&stack).get("WebhooksGivenUp").map_or(0, |values| values.iter().sum())
    };
    failing().await;
    assert_eq!(given_up(1).await, 1, "410");
    change(2, json!({"status": "enabled"})).await;
    let [second, third] = [failing().await, failing().await];
    change(3, json!({"status": "disabled"})).await;
    retried(&second).await;
    assert_eq!(given_up(4).await, 2, "the endpoint is disabled");
    change(4, json!({"status": "enabled", "event_types": ["refund.*"]})).await;
    retried(&third).await;
    assert_eq!(given_up(5).await, 2, "the endpoint no longer wants the event");
}
