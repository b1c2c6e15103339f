//! `deliver-webhook`: attempts, signatures, and their end.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use spillway_tests::clock::in_seconds;
use spillway_tests::oracle::Books;
use spillway_tests::queues::copies;
use spillway_tests::receiver::{Attempt, Receiver, Reply};
use spillway_tests::store_proxy::Matching;
use spillway_tests::table::Item;
use spillway_tests::{Deadline, Merchant, Options, Stack, eventually};

/// Waits end by a message's delay or by the `due` index, so every test also runs the sweep.
fn quick() -> Options {
    Options::new().knob("WEBHOOK_WAITS_SECONDS", "1,1,1,1").knob("FIRST_DUE_SECONDS", 1).knob("CLAIM_SECONDS", 1)
}

/// Number of events in the attempts.
fn events(attempts: &[Attempt]) -> usize {
    attempts.iter().map(Attempt::id).collect::<BTreeSet<&str>>().len()
}

/// Number of attempts if each of `events` is tried once and `more` times after that. Two racing copies of a message may
/// both make the first attempt; each later one is claimed.
fn attempts_max(events: usize, more: usize) -> usize {
    events * usize::try_from(copies()).unwrap() + more
}

/// Waits until no delivery of the tenant is pending.
async fn nothing_is_due(stack: &Stack, merchant: &Merchant) {
    eventually("nothing is due", Deadline::SOON, async || {
        stack.run_due().await;
        let items = stack.table().items().await;
        let of_tenant = items.iter().filter(|item| item["pk"].as_str().unwrap().starts_with(&merchant.tenant()));
        let due: Vec<_> = of_tenant
            .filter(|item| item.contains_key("due") && !item["pk"].as_str().unwrap().ends_with("#balances"))
            .collect();
        if due.is_empty() { Ok(()) } else { Err(format!("{due:?}")) }
    })
    .await;
}

#[tokio::test]
async fn the_third_attempt_delivers_the_same_event() {
    let stack = Stack::start(quick()).await;
    let merchant = stack.new_merchant().await;
    let receiver = Receiver::scripted([Reply::Status(500), Reply::Status(500)]).await;
    let endpoint = merchant.client.create_webhook_endpoint(receiver.url(), &["payment.*"]).await;
    let payment = merchant.client.paid(1250, "USD").await;
    stack.attempts_at_least(&receiver, 3, Deadline::SOON).await;
    nothing_is_due(&stack, &merchant).await;
    let attempts = receiver.attempts();
    assert_eq!(attempts.len(), 3);
    for attempt in &attempts {
        attempt.verify(endpoint["secret"].as_str().unwrap()).unwrap();
        assert_eq!(attempt.id(), attempts[0].id());
        assert_eq!(attempt.body, attempts[0].body);
        assert_eq!(attempt.headers["content-type"], "application/json");
    }
    assert_eq!(attempts[2].json()["data"], payment);
    let times: Vec<i64> = attempts
        .iter()
        .map(|attempt| attempt.headers["webhook-timestamp"].to_str().unwrap().parse().unwrap())
        .collect();
    assert!(times[2] >= times[0].max(times[1]), "each attempt has its own time: {times:?}");
}

#[tokio::test]
async fn every_payment_is_delivered_once() {
    let stack = Stack::start(quick()).await;
    let merchant = stack.new_merchant().await;
    let receiver = Receiver::start().await;
    merchant.client.create_webhook_endpoint(receiver.url(), &["payment.succeeded"]).await;
    merchant.client.create_webhook_endpoint(receiver.url(), &["payment.failed"]).await;
    let mut expected = Vec::new();
    for token in ["tok_visa", "tok_declined", "tok_mastercard"] {
        let id = merchant.client.pay(1250, "USD", token).await;
        expected.push((merchant.client.finished(&id).await["status"].as_str().unwrap().to_owned(), id));
    }
    stack.attempts_at_least(&receiver, 3, Deadline::SOON).await;
    nothing_is_due(&stack, &merchant).await;
    let attempts = receiver.attempts();
    let text = |value: &serde_json::Value| value.as_str().unwrap().to_owned();
    let told = attempts.iter().map(|attempt| {
        let webhook = attempt.json();
        assert_eq!(webhook["type"], format!("payment.{}", webhook["data"]["status"].as_str().unwrap()));
        (attempt.id().to_owned(), text(&webhook["data"]["status"]), text(&webhook["data"]["id"]))
    });
    let mut told: Vec<_> =
        told.collect::<BTreeSet<_>>().into_iter().map(|(_, status, payment)| (status, payment)).collect();
    told.sort();
    expected.sort();
    assert_eq!(told, expected);
    assert!(attempts.len() <= attempts_max(expected.len(), 0), "{} attempts", attempts.len());
}

#[tokio::test]
async fn a_410_disables_the_endpoint() {
    let stack = Stack::start(quick()).await;
    let merchant = stack.new_merchant().await;
    let receiver = Receiver::scripted(std::iter::repeat_n(Reply::Status(410), 20)).await;
    let endpoint = merchant.client.create_webhook_endpoint(receiver.url(), &["payment.*"]).await;
    merchant.client.paid(1250, "USD").await;
    stack.attempts_at_least(&receiver, 1, Deadline::SOON).await;
    let partition = format!("{}#webhooks", merchant.tenant());
    eventually("the endpoint is disabled", Deadline::SOON, async || {
        let stored = stack.table().item(&partition, endpoint["id"].as_str().unwrap()).await.unwrap();
        if stored["status"] == json!("disabled") { Ok(()) } else { Err(format!("{stored:?}")) }
    })
    .await;
    merchant.client.paid(1250, "USD").await;
    nothing_is_due(&stack, &merchant).await;
    let attempts = receiver.attempts();
    assert_eq!(events(&attempts), 1, "{attempts:?}");
    assert!(attempts.len() <= attempts_max(1, 0), "{attempts:?}");
}

#[tokio::test]
async fn a_recovered_endpoint_is_not_disabled() {
    let stack = Stack::start(quick().store_proxy()).await;
    let merchant = stack.new_merchant().await;
    let receiver = Receiver::scripted(std::iter::repeat_n(Reply::Status(500), 20)).await;
    let endpoint = merchant.client.create_webhook_endpoint(receiver.url(), &["payment.*"]).await;
    let key = json!({"pk": {"S": format!("{}#webhooks", merchant.tenant())}, "sk": {"S": endpoint["id"]}});
    // All of them: the SDK repeats a call that is held for long.
    let disables = Matching::operation("TransactWriteItems").with("\"disabled\"");
    let disabling = stack.store_proxy().hold(usize::MAX, disables);
    // A first attempt would be postponed; the second finds that the endpoint has failed for too long.
    merchant.client.paid(1250, "USD").await;
    stack.attempts_at_least(&receiver, 1, Deadline::SOON).await;
    stack.fails_since(&merchant, endpoint["id"].as_str().unwrap(), 121 * 3600).await;
    eventually("it is about to be disabled", Deadline::SOON, async || {
        stack.run_due().await;
        if disabling.count() == 0 { Err("not yet".to_owned()) } else { Ok(()) }
    })
    .await;
    let works = json!({"Key": key, "UpdateExpression": "REMOVE failing_since, probe_at"});
    stack.table().call("UpdateItem", works).await;
    disabling.forward();
    eventually("the attempt is stored", Deadline::SOON, async || {
        let items = stack.table().items().await;
        let is_stored =
            |item: &Item| item.get("attempts").and_then(Value::as_u64).is_some_and(|attempts| attempts >= 2);
        if items.iter().any(is_stored) { Ok(()) } else { Err(format!("{items:?}")) }
    })
    .await;
    let stored = stack.table().item(key["pk"]["S"].as_str().unwrap(), key["sk"]["S"].as_str().unwrap()).await.unwrap();
    assert_eq!(stored["status"], "enabled", "{stored:?}");
}

#[tokio::test]
async fn no_attempt_follows_the_last_wait() {
    let stack = Stack::start(quick().knob("WEBHOOK_WAITS_SECONDS", "1")).await;
    let merchant = stack.new_merchant().await;
    let receiver = Receiver::scripted(std::iter::repeat_n(Reply::Status(500), 20)).await;
    merchant.client.create_webhook_endpoint(receiver.url(), &["payment.*"]).await;
    merchant.client.paid(1250, "USD").await;
    stack.attempts_at_least(&receiver, 2, Deadline::SOON).await;
    nothing_is_due(&stack, &merchant).await;
    let attempts = receiver.attempts();
    assert_eq!(events(&attempts), 1, "{attempts:?}");
    assert!((2..=attempts_max(1, 1)).contains(&attempts.len()), "{attempts:?}");
}

/// A receiver that answers 500 until [`Receiver::works`].
async fn failing() -> Receiver {
    Receiver::scripted(std::iter::repeat_n(Reply::Status(500), 10_000)).await
}

/// Waits until the receiver has got `count` events.
async fn events_at_least(stack: &Stack, receiver: &Receiver, count: usize) {
    eventually(&format!("{count} events"), Deadline::SOON, async || {
        stack.run_due().await;
        let seen = events(&receiver.attempts());
        if seen < count { Err(format!("{seen} events")) } else { Ok(()) }
    })
    .await;
}

/// Creates a payment, and waits until every delivery of its event is stored; returns them.
async fn paid_and_stored(stack: &Stack, merchant: &Merchant) -> Vec<Item> {
    let payment = merchant.client.paid(1250, "USD").await;
    let id = payment["id"].as_str().unwrap();
    eventually("its deliveries are stored", Deadline::SOON, async || {
        let books = Books::read(&stack.table(), &merchant.tenant()).await;
        let event = books.events_of(id)[0].clone();
        if event.contains_key("due") {
            return Err(format!("{event:?}"));
        }
        Ok(books.deliveries.into_iter().filter(|delivery| delivery["event"] == event["sk"]).collect())
    })
    .await
}

#[tokio::test]
async fn postponed_events_are_sent_when_the_endpoint_recovers() {
    // A function that is killed right after it recorded
    // the recovery sends nothing.
    let options = quick().knob("WEBHOOK_WAITS_SECONDS", vec!["1"; 35].join(",")).unkilled();
    let stack = Stack::start(options).await;
    let merchant = stack.new_merchant().await;
    let receiver = failing().await;
    let endpoint = merchant.client.create_webhook_endpoint(receiver.url(), &["payment.*"]).await;
    stack.fails_since(&merchant, endpoint["id"].as_str().unwrap(), 3600).await;
    // The first event probes the endpoint.
    paid_and_stored(&stack, &merchant).await;
    assert_eq!(events(&receiver.attempts()), 1);
    for _ in 0..3 {
        let put_off = paid_and_stored(&stack, &merchant).await;
        let [delivery] = put_off.as_slice() else { panic!("{put_off:?}") };
        assert_eq!((&delivery["status"], &delivery["attempts"]), (&json!("pending"), &json!(0)), "{delivery:?}");
        // 300 s, 20 % more or less; some have passed.
        assert!(delivery["next_attempt_at"].as_str() > Some(&in_seconds(200)), "{delivery:?}");
    }
    assert_eq!(events(&receiver.attempts()), 1);
    receiver.works();
    // The next event probes the endpoint.
    stack.probes_now(&merchant, endpoint["id"].as_str().unwrap()).await;
    merchant.client.paid(1250, "USD").await;
    events_at_least(&stack, &receiver, 5).await;
    nothing_is_due(&stack, &merchant).await;
    let stored = merchant.client.webhook_endpoint(endpoint["id"].as_str().unwrap()).await;
    // The endpoint's public fields are unchanged.
    assert_eq!((&stored["version"], &stored["updated_at"]), (&json!(1), &endpoint["updated_at"]));
}

#[tokio::test]
async fn a_new_event_probes_a_failing_endpoint() {
    let stack = Stack::start(quick().knob("WEBHOOK_WAITS_SECONDS", "1")).await;
    let merchant = stack.new_merchant().await;
    let receiver = failing().await;
    let endpoint = merchant.client.create_webhook_endpoint(receiver.url(), &["payment.*"]).await;
    let endpoint = endpoint["id"].as_str().unwrap();
    paid_and_stored(&stack, &merchant).await;
    // No attempt is due: only a new event can probe the endpoint.
    nothing_is_due(&stack, &merchant).await;
    stack.fails_since(&merchant, endpoint, 3600).await;
    receiver.works();
    merchant.client.paid(1250, "USD").await;
    events_at_least(&stack, &receiver, 2).await;
    let partition = format!("{}#webhooks", merchant.tenant());
    eventually("it is noted that it works", Deadline::SOON, async || {
        let stored = stack.table().item(&partition, endpoint).await.unwrap();
        if stored.contains_key("failing_since") { Err(format!("{stored:?}")) } else { Ok(()) }
    })
    .await;
}
