//! Each attempt is made once at its time, and none is lost: after any fault something repeats it.

use std::collections::BTreeSet;

use futures::future::join;
use serde_json::{Value, json};
use spillway_tests::oracle::Books;
use spillway_tests::queues::copies;
use spillway_tests::receiver::{Receiver, Reply};
use spillway_tests::store_proxy::{Fault, Hold, Matching};
use spillway_tests::{Deadline, Merchant, Options, Stack, Template, clock, event, eventually};

fn quick() -> Options {
    Options::new().knob("WEBHOOK_WAITS_SECONDS", "1,1,1,1").knob("FIRST_DUE_SECONDS", 1).knob("CLAIM_SECONDS", 1)
}

#[tokio::test]
async fn an_endpoint_is_disabled_after_failing_for_120_hours() {
    let stack = Stack::start(quick().knob("WEBHOOK_WAITS_SECONDS", "1,1,1,1,1,1,1,1,1")).await;
    let merchant = stack.new_merchant().await;
    let receiver = Receiver::scripted(std::iter::repeat_n(Reply::Status(500), 20)).await;
    let endpoint = merchant.client.create_webhook_endpoint(receiver.url(), &["payment.*"]).await;
    merchant.client.paid(1250, "USD").await;
    let (partition, id) = (format!("{}#webhooks", merchant.tenant()), endpoint["id"].as_str().unwrap());
    let stored = async || stack.table().item(&partition, id).await.unwrap();
    eventually("its failing is noted", Deadline::SOON, async || {
        let stored = stored().await;
        if stored.contains_key("failing_since") { Ok(()) } else { Err(format!("{stored:?}")) }
    })
    .await;
    assert_eq!(stored().await["status"], "enabled");
    stack.fails_since(&merchant, id, 121 * 3600).await;
    eventually("the endpoint is disabled", Deadline::SOON, async || {
        stack.run_due().await;
        let stored = stored().await;
        if stored["status"] == "disabled" { Ok(()) } else { Err(format!("{stored:?}")) }
    })
    .await;
}

#[tokio::test]
async fn the_next_attempt_is_due_without_its_message() {
    let stack = Stack::start(quick().template(Template::without_triggers())).await;
    let merchant = stack.new_merchant().await;
    let receiver = Receiver::scripted([Reply::Status(500)]).await;
    merchant.client.create_webhook_endpoint(receiver.url(), &["payment.*"]).await;
    let told = event::event_message(&merchant.id, &one_event(&stack, &merchant).await);
    stack.invoke("deliver-webhook", &event::sqs(&[told])).await.unwrap();
    assert_eq!(receiver.attempts().len(), 1);
    let queues = stack.queues();
    let queue = queues.url("WebhooksQueue").await;
    assert_eq!(queues.depth(&queue).await, copies(), "the message of the next attempt");
    eventually("the sweep sends another", Deadline::SOON, async || {
        stack.run_due().await;
        let depth = queues.depth(&queue).await;
        if depth == copies() { Err(format!("{depth} messages")) } else { Ok(()) }
    })
    .await;
}

/// Creates and charges a payment in a stack without triggers; returns the event's id.
async fn one_event(stack: &Stack, merchant: &Merchant) -> String {
    let id = merchant.client.pay(1250, "USD", "tok_visa").await;
    stack.invoke("call-processor", &event::sqs(&[event::payment_message(&merchant.id, &id)])).await.unwrap();
    let books = Books::read(&stack.table(), &merchant.tenant()).await;
    books.events_of(&id)[0]["sk"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn an_event_stays_due_until_every_attempt_of_it_is_stored() {
    let stack = Stack::start(quick().store_proxy().template(Template::without_triggers())).await;
    let merchant = stack.new_merchant().await;
    let (receiver, other) = (Receiver::start().await, Receiver::start().await);
    let endpoint = merchant.client.create_webhook_endpoint(receiver.url(), &["payment.*"]).await;
    merchant.client.create_webhook_endpoint(other.url(), &["payment.*"]).await;
    let message = event::sqs(&[event::event_message(&merchant.id, &one_event(&stack, &merchant).await)]);
    let put = Matching::operation("PutItem").with(endpoint["id"].as_str().unwrap());
    stack.store_proxy().fault(usize::MAX, put, Fault::Close);
    let answer = stack.invoke("deliver-webhook", &message).await.unwrap();
    assert_eq!(answer, json!({"batchItemFailures": [{"itemIdentifier": "m0"}]}));
    let books = Books::read(&stack.table(), &merchant.tenant()).await;
    assert_eq!((books.deliveries.len(), books.events[0].contains_key("due")), (1, true));
    stack.store_proxy().heal();
    stack.invoke("deliver-webhook", &message).await.unwrap();
    let books = Books::read(&stack.table(), &merchant.tenant()).await;
    assert_eq!((books.deliveries.len(), books.events[0].contains_key("due")), (2, false));
    assert_eq!((receiver.attempts().len(), other.attempts().len()), (2, 1));
}

#[tokio::test]
async fn two_copies_of_a_message_make_one_attempt() {
    let options = quick().knob("WEBHOOK_WAITS_SECONDS", 0).store_proxy();
    let stack = Stack::start(options.template(Template::without_triggers())).await;
    let merchant = stack.new_merchant().await;
    let receiver = Receiver::scripted([Reply::Status(500)]).await;
    let endpoint = merchant.client.create_webhook_endpoint(receiver.url(), &["payment.*"]).await;
    let id = one_event(&stack, &merchant).await;
    stack.invoke("deliver-webhook", &event::sqs(&[event::event_message(&merchant.id, &id)])).await.unwrap();
    let retry = event::delivery_message(&merchant.id, &id, endpoint["id"].as_str().unwrap());
    let retry = event::sqs(&[retry]);
    // Both have read the delivery before either may claim its next attempt.
    let claims = stack.store_proxy().hold(usize::MAX, Matching::operation("UpdateItem").with("next_attempt_at"));
    let both = async {
        claims.reached(2).await;
        claims.forward();
    };
    let copies = (stack.invoke("deliver-webhook", &retry), stack.invoke("deliver-webhook", &retry));
    let (first, second, ()) = futures::future::join3(copies.0, copies.1, both).await;
    let done = json!({"batchItemFailures": []});
    assert_eq!((first.unwrap(), second.unwrap()), (done.clone(), done));
    assert_eq!(receiver.attempts().len(), 2, "the first attempt and one more");
}

/// A delivery whose first attempt failed and whose next one is in an hour. The receiver keeps answering 500.
struct FailedOnce {
    stack: Stack,
    receiver: Receiver,
    /// The event with the delivery's message.
    retry: Value,
    /// Keys of the items.
    delivery: (String, String),
    endpoint: (String, String),
}

impl FailedOnce {
    async fn start(options: Options) -> FailedOnce {
        let options = options.knob("WEBHOOK_WAITS_SECONDS", 3600).knob("STORE_DEADLINE_MS", 9000);
        let options = options.knob("FIRST_DUE_SECONDS", 1).knob("CLAIM_SECONDS", 1).store_proxy();
        let stack = Stack::start(options.template(Template::without_triggers())).await;
        let merchant = stack.new_merchant().await;
        let receiver = Receiver::scripted(std::iter::repeat_n(Reply::Status(500), 20)).await;
        let endpoint = merchant.client.create_webhook_endpoint(receiver.url(), &["payment.*"]).await;
        let (tenant, endpoint) = (merchant.tenant(), endpoint["id"].as_str().unwrap().to_owned());
        let id = one_event(&stack, &merchant).await;
        stack.invoke("deliver-webhook", &event::sqs(&[event::event_message(&merchant.id, &id)])).await.unwrap();
        let retry = event::delivery_message(&merchant.id, &id, &endpoint);
        FailedOnce {
            stack,
            receiver,
            retry: event::sqs(&[retry]),
            delivery: (format!("{tenant}#{id}"), endpoint.clone()),
            endpoint: (format!("{tenant}#webhooks"), endpoint),
        }
    }
}

/// Records a recovery of the endpoint, as a successful attempt does.
async fn recover(stack: &Stack, (pk, sk): &(String, String)) {
    let recovered = json!({"Key": {"pk": {"S": pk}, "sk": {"S": sk}},
        "UpdateExpression": "SET works_since = :now REMOVE failing_since",
        "ExpressionAttributeValues": {":now": {"S": clock::now()}}});
    stack.table().call("UpdateItem", recovered).await;
}

#[tokio::test]
async fn a_recovery_adds_one_early_attempt() {
    let FailedOnce { stack, receiver, retry, delivery, endpoint } = FailedOnce::start(Options::new()).await;
    let stored = async || stack.table().item(&delivery.0, &delivery.1).await.unwrap();
    let planned = stored().await["next_attempt_at"].clone();
    stack.invoke("deliver-webhook", &retry).await.unwrap();
    assert_eq!(receiver.attempts().len(), 1, "it is not time yet");

    recover(&stack, &endpoint).await;
    // A copy of the message arrives during the attempt: it was made, but is not stored yet.
    let result = stack.store_proxy().hold(usize::MAX, Matching::operation("UpdateItem").with("updated_at"));
    let copy = async {
        result.reached(1).await;
        let done = stack.invoke("deliver-webhook", &retry).await.unwrap();
        assert_eq!(receiver.attempts().len(), 2);
        result.forward();
        done
    };
    let (first, second) = join(stack.invoke("deliver-webhook", &retry), copy).await;
    let done = json!({"batchItemFailures": []});
    assert_eq!((first.unwrap(), second), (done.clone(), done));
    assert_eq!(receiver.attempts().len(), 2);
    // It failed after the recovery: the next attempt keeps its time, and the wait is not consumed.
    stack.invoke("deliver-webhook", &retry).await.unwrap();
    assert_eq!(receiver.attempts().len(), 2);
    let stored = stored().await;
    assert_eq!((&stored["status"], &stored["attempts"]), (&json!("pending"), &json!(2)), "{stored:?}");
    assert_eq!(stored["next_attempt_at"], planned, "{stored:?}");
}

/// The early attempt of one copy fails and keeps the delivery's time. The other copy, which read the delivery before,
/// must not mistake that for its own state.
#[tokio::test]
async fn a_late_claim_makes_no_second_early_attempt() {
    let FailedOnce { stack, receiver, retry, delivery, endpoint } = FailedOnce::start(Options::new().unkilled()).await;
    recover(&stack, &endpoint).await;
    let late = stack.store_proxy().hold(1, Matching::operation("UpdateItem").with("\"next_attempt_at\""));
    let meanwhile = async {
        late.reached(1).await;
        stack.invoke("deliver-webhook", &retry).await.unwrap();
        assert_eq!(receiver.attempts().len(), 2);
        late.forward();
    };
    join(stack.invoke("deliver-webhook", &retry), meanwhile).await.0.unwrap();
    assert_eq!(receiver.attempts().len(), 2);
    let stored = stack.table().item(&delivery.0, &delivery.1).await.unwrap();
    assert_eq!((&stored["status"], &stored["attempts"]), (&json!("pending"), &json!(2)), "{stored:?}");
}

#[tokio::test]
async fn waiting_events_are_sent_page_by_page() {
    const WAITING: usize = 230;
    let stack = Stack::start(quick().template(Template::without_triggers())).await;
    let merchant = stack.new_merchant().await;
    let endpoint = merchant.client.create_webhook_endpoint("http://127.0.0.1:9/hook", &["payment.*"]).await;
    let (tenant, endpoint) = (merchant.tenant(), endpoint["id"].as_str().unwrap());
    let id = |number: usize| format!("evt_{number:026}");
    let waiting = |number: usize| {
        let event = id(number);
        json!({"pk": {"S": format!("{tenant}#{event}")}, "sk": {"S": endpoint},
            "listing": {"S": format!("{tenant}#{endpoint}#pending")}, "listing_at": {"S": event}})
    };
    stack.table().put_all(&(0..WAITING).map(waiting).collect::<Vec<_>>()).await;
    let queues = stack.queues();
    let queue = queues.url("WebhooksQueue").await;
    let page = |after: Option<usize>| {
        let mut page = event::endpoint_message(&merchant.id, endpoint);
        if let Some(after) = after {
            page["after"] = json!(id(after));
        }
        page
    };
    for after in [None, Some(99), Some(199)] {
        let done = stack.invoke("deliver-webhook", &event::sqs(&[page(after)])).await.unwrap();
        assert_eq!(done, json!({"batchItemFailures": []}));
    }
    // Each page names its deliveries and the next page; the last names no other.
    let messages = queues.take(&queue, WAITING + 2).await;
    let (pages, deliveries): (Vec<Value>, Vec<Value>) =
        messages.into_iter().partition(|message| message["kind"] == "webhook_endpoint");
    assert_eq!(pages, [page(Some(99)), page(Some(199))]);
    let sent: BTreeSet<String> =
        deliveries.iter().map(|it| it["pk"].as_str().unwrap().rsplit_once('#').unwrap().1.to_owned()).collect();
    assert_eq!((deliveries.len(), sent), (WAITING, (0..WAITING).map(id).collect()));

    // While the endpoint fails nothing is sent: the next recovery does it.
    let depth = queues.depth(&queue).await;
    stack.fails_since(&merchant, endpoint, 3600).await;
    stack.invoke("deliver-webhook", &event::sqs(&[page(None)])).await.unwrap();
    assert_eq!(queues.depth(&queue).await, depth);
}

/// A merchant with a failing endpoint and an event for it, in a stack without triggers.
struct Down {
    stack: Stack,
    merchant: Merchant,
    receiver: Receiver,
    endpoint: String,
    event: String,
}

impl Down {
    async fn new() -> Down {
        let options = quick().knob("STORE_DEADLINE_MS", 9000).store_proxy();
        let stack = Stack::start(options.template(Template::without_triggers())).await;
        let merchant = stack.new_merchant().await;
        let receiver = Receiver::start().await;
        let endpoint = merchant.client.create_webhook_endpoint(receiver.url(), &["payment.*"]).await;
        let endpoint = endpoint["id"].as_str().unwrap().to_owned();
        stack.fails_since(&merchant, &endpoint, 3600).await;
        let event = one_event(&stack, &merchant).await;
        Down { stack, merchant, receiver, endpoint, event }
    }

    async fn deliver(&self) {
        let message = event::sqs(&[event::event_message(&self.merchant.id, &self.event)]);
        let done = self.stack.invoke("deliver-webhook", &message).await.unwrap();
        assert_eq!(done, json!({"batchItemFailures": []}));
    }

    /// Holds every call that stores the delivery after this many attempts.
    fn hold(&self, attempts: u32) -> Hold {
        let put = Matching::operation("PutItem").with(&format!(r#""attempts":{{"N":"{attempts}"}}"#));
        self.stack.store_proxy().hold(usize::MAX, put)
    }

    /// The endpoint's item.
    fn key(&self) -> (String, &str) {
        (format!("{}#webhooks", self.merchant.tenant()), &self.endpoint)
    }
}

#[tokio::test]
async fn events_postponed_during_a_recovery_are_sent() {
    let down = Down::new().await;
    let (pk, sk) = down.key();
    let key = json!({"pk": {"S": pk}, "sk": {"S": sk}});
    let probed = json!({"Key": key, "UpdateExpression": "SET probe_at = :at",
        "ExpressionAttributeValues": {":at": {"S": clock::in_seconds(3600)}}});
    down.stack.table().call("UpdateItem", probed).await;
    let held = down.hold(0);
    let recovers = async {
        held.reached(1).await;
        let works = json!({"Key": key, "UpdateExpression": "SET works_since = :at REMOVE failing_since, probe_at",
            "ExpressionAttributeValues": {":at": {"S": clock::now()}}});
        down.stack.table().call("UpdateItem", works).await;
        held.forward();
    };
    join(down.deliver(), recovers).await;
    // Otherwise it would wait for minutes.
    let queues = down.stack.queues();
    let messages = queues.take(&queues.url("WebhooksQueue").await, 1).await;
    down.stack.invoke("deliver-webhook", &event::sqs(&messages)).await.unwrap();
    assert_eq!(down.receiver.attempts().len(), 1, "{messages:?}");
}

#[tokio::test]
async fn a_recovery_with_a_lost_reply_wakes_the_endpoint_once() {
    let down = Down::new().await;
    let noted = Matching::operation("UpdateItem").with("works_since");
    down.stack.store_proxy().fault(1, noted, Fault::LoseReply);
    down.deliver().await;
    let (pk, sk) = down.key();
    let endpoint = down.stack.table().item(&pk, sk).await.unwrap();
    assert_eq!(
        (endpoint.get("wake"), endpoint.contains_key("failing_since")),
        (Some(&json!(1)), false),
        "{endpoint:?}"
    );
}

#[tokio::test]
async fn a_postponed_copy_does_not_hide_the_attempt() {
    let down = Down::new().await;
    let held = down.hold(1);
    let copy = async {
        held.reached(1).await;
        down.deliver().await;
        held.forward();
    };
    join(down.deliver(), copy).await;
    assert_eq!(down.receiver.attempts().len(), 1);
    let (pk, sk) = down.key();
    let endpoint = down.stack.table().item(&pk, sk).await.unwrap();
    assert!(!endpoint.contains_key("failing_since"), "{endpoint:?}");
    let books = Books::read(&down.stack.table(), &down.merchant.tenant()).await;
    assert_eq!((books.deliveries.len(), &books.deliveries[0]["status"]), (1, &json!("succeeded")), "{books:?}");
}
