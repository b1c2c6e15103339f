//! `redeliver-event`: a failed delivery is sent again once, on condition that its event and its endpoint are there.

use futures::future::{join, join_all};
use serde_json::{Value, json};
use spillway_tests::oracle::Books;
use spillway_tests::queues::copies;
use spillway_tests::receiver::{Receiver, Reply};
use spillway_tests::store_proxy::{Hold, Matching};
use spillway_tests::table::Item;
use spillway_tests::{Deadline, Merchant, Options, Stack, Template, clock, event, eventually};

const AT_ONCE: usize = 8;
const MONTH_SECONDS: i64 = 30 * 86_400;

/// A delivery that was given up after its only attempt was answered 410, in a stack without triggers. Its endpoint is
/// enabled again, with this version.
struct GivenUp {
    stack: Stack,
    merchant: Merchant,
    receiver: Receiver,
    endpoint: String,
    event: String,
}

const ENABLED_VERSION: u64 = 3;

impl GivenUp {
    async fn start() -> GivenUp {
        let options = Options::new().unkilled().store_proxy().knob("STORE_DEADLINE_MS", 9000);
        let stack = Stack::start(options.template(Template::without_triggers())).await;
        let merchant = stack.new_merchant().await;
        let receiver = Receiver::scripted([Reply::Status(410)]).await;
        let endpoint = merchant.client.create_webhook_endpoint(receiver.url(), &["payment.*"]).await;
        let endpoint = endpoint["id"].as_str().unwrap().to_owned();
        let payment = merchant.client.pay(1250, "USD", "tok_visa").await;
        stack.invoke("call-processor", &event::sqs(&[event::payment_message(&merchant.id, &payment)])).await.unwrap();
        let books = Books::read(&stack.table(), &merchant.tenant()).await;
        let event = books.events_of(&payment)[0]["sk"].as_str().unwrap().to_owned();
        stack.invoke("deliver-webhook", &event::sqs(&[event::event_message(&merchant.id, &event)])).await.unwrap();
        let given_up = GivenUp { stack, merchant, receiver, endpoint, event };
        assert_eq!(given_up.stored().await["status"], "failed");
        given_up.change(ENABLED_VERSION - 1, &json!({"status": "enabled"})).await;
        given_up
    }

    /// Changes the endpoint, as its merchant does.
    async fn change(&self, version: u64, change: &Value) {
        self.merchant.client.webhook_endpoint_change(&self.endpoint, version, change).send().await.expect(200);
    }

    /// Invokes the function; `more` are further fields.
    async fn redeliver(&self, more: &Value) -> Result<Value, String> {
        let mut request = json!({"merchant": self.merchant.id, "mode": "test"});
        request.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let answer = self.stack.invoke("redeliver-event", &request).await;
        answer.map_err(|error| error["errorMessage"].as_str().unwrap().to_owned())
    }

    async fn redeliver_event(&self) -> Result<Value, String> {
        self.redeliver(&json!({"event": self.event})).await
    }

    async fn stored(&self) -> Item {
        let pk = format!("{}#{}", self.merchant.tenant(), self.event);
        self.stack.table().item(&pk, &self.endpoint).await.unwrap()
    }

    fn event_key(&self) -> (String, &str) {
        (format!("{}#events#{}", self.merchant.tenant(), event::shard(&self.event)), &self.event)
    }

    /// Works on the delivery's message.
    async fn attempt(&self) {
        let message = event::delivery_message(&self.merchant.id, &self.event, &self.endpoint);
        self.stack.invoke("deliver-webhook", &event::sqs(&[message])).await.unwrap();
    }

    /// Holds the transaction that sends the delivery again.
    fn hold(&self) -> Hold {
        self.stack.store_proxy().hold(1, Matching::operation("TransactWriteItems").with("ConditionCheck"))
    }

    /// Sends the event again, with `change` between the reads and the transaction.
    async fn overtaken(&self, change: impl Future<Output = ()>) -> Result<Value, String> {
        let held = self.hold();
        let changed = async {
            held.reached(1).await;
            change.await;
            held.forward();
        };
        join(self.redeliver_event(), changed).await.0
    }
}

fn redelivery(deliveries: &Value) -> Result<Value, String> {
    Ok(json!({"object": "redelivery", "deliveries": deliveries, "continue_since": null}))
}

#[tokio::test]
async fn a_given_up_delivery_is_sent_again_once() {
    let given_up = GivenUp::start().await;
    let (pk, sk) = given_up.event_key();
    let before = given_up.stack.table().item(&pk, sk).await.unwrap()["expires_at"].as_i64().unwrap();
    given_up
        .stack
        .table()
        .update(&pk, sk, "SET expires_at = :soon", json!({":soon": {"N": (before - MONTH_SECONDS + 60).to_string()}}))
        .await;
    assert_eq!(given_up.redeliver_event().await, redelivery(&json!({"redelivered": 1})));
    let stored = given_up.stored().await;
    assert_eq!((&stored["status"], &stored["attempts"], &stored["wake"]), (&json!("pending"), &json!(1), &json!(1)));
    assert!(stored["due"].as_str().unwrap().starts_with("due#deliveries#"), "{stored:?}");
    assert!(stored["listing"].as_str().unwrap().ends_with("#pending"), "{stored:?}");
    // The event is stored as long as its delivery.
    let event = given_up.stack.table().item(&pk, sk).await.unwrap();
    assert!(event["expires_at"].as_i64().unwrap() >= before, "{event:?}");
    assert_eq!(event["expires_at"], stored["expires_at"]);
    // Repeated while it is pending, and after it has succeeded.
    assert_eq!(given_up.redeliver_event().await, redelivery(&json!({"pending": 1})));
    given_up.attempt().await;
    assert_eq!(given_up.receiver.attempts().len(), 2);
    let stored = given_up.stored().await;
    assert_eq!((&stored["status"], &stored["attempts"], &stored["wake"]), (&json!("succeeded"), &json!(2), &json!(1)));
    assert_eq!(given_up.redeliver_event().await, redelivery(&json!({"succeeded": 1})));
    given_up.attempt().await;
    assert_eq!((given_up.receiver.attempts().len(), given_up.stored().await), (2, stored));
}

#[tokio::test]
async fn concurrent_requests_send_it_again_once() {
    let given_up = GivenUp::start().await;
    // All have read the failed delivery before one may write.
    let held =
        given_up.stack.store_proxy().hold(AT_ONCE, Matching::operation("TransactWriteItems").with("ConditionCheck"));
    let all = async {
        held.reached(AT_ONCE).await;
        held.forward();
    };
    let (answers, ()) = join(join_all((0..AT_ONCE).map(|_| given_up.redeliver_event())), all).await;
    let sent = answers.iter().filter(|answer| **answer == redelivery(&json!({"redelivered": 1}))).count();
    let found = answers.iter().filter(|answer| **answer == redelivery(&json!({"pending": 1}))).count();
    assert_eq!((sent, found), (1, AT_ONCE - 1), "{answers:?}");
    assert_eq!(given_up.stored().await["wake"], 1);
}

#[tokio::test]
async fn the_change_brings_a_message_and_an_attempt() {
    let options = Options::new().knob("WEBHOOK_WAITS_SECONDS", "1").keep_lines().unkilled();
    let stack = Stack::start(options).await;
    let merchant = stack.new_merchant().await;
    let receiver = Receiver::scripted(vec![Reply::Status(500); 10]).await;
    let endpoint = merchant.client.create_webhook_endpoint(receiver.url(), &["payment.*"]).await;
    let payment = merchant.client.paid(1250, "USD").await;
    let delivery = async |status: &str, attempts: u64| {
        eventually(&format!("{status} after {attempts}"), Deadline::LATER, async || {
            let books = Books::read(&stack.table(), &merchant.tenant()).await;
            let stored = books.deliveries.first().cloned().unwrap_or_default();
            let is_there = stored.get("status") == Some(&json!(status)) && stored["attempts"] == attempts;
            if is_there { Ok(()) } else { Err(format!("{stored:?}")) }
        })
        .await;
    };
    delivery("failed", 2).await;
    receiver.works();
    let books = Books::read(&stack.table(), &merchant.tenant()).await;
    let event = &books.events_of(payment["id"].as_str().unwrap())[0]["sk"];
    let request = json!({"merchant": merchant.id, "mode": "test", "event": event});
    assert_eq!(stack.invoke("redeliver-event", &request).await.unwrap()["deliveries"], json!({"redelivered": 1}));
    let line: Value = serde_json::from_str(stack.printed("redeliver-event").concat().lines().last().unwrap()).unwrap();
    let subject = json!({"id": event, "outcome": "1 redelivered", "with": [endpoint["id"]]});
    assert_eq!((&line["merchant"], &line["subjects"]), (&json!(merchant.id), &json!([subject])), "{line}");
    delivery("succeeded", 3).await;
    let ids: Vec<String> = receiver.attempts().iter().map(|attempt| attempt.id().to_owned()).collect();
    assert!(ids.iter().all(|id| id == event.as_str().unwrap()), "{ids:?}");
    // Two copies of the event's message may both make the first attempt.
    assert!((3..=2 + usize::try_from(copies()).unwrap()).contains(&ids.len()), "{ids:?}");
}

#[tokio::test]
async fn what_can_not_be_sent_is_refused_in_a_sentence() {
    let given_up = GivenUp::start().await;
    let (event, endpoint) = (&given_up.event, &given_up.endpoint);
    let (other, nowhere) = (format!("evt_{:026}", 0), format!("we_{:026}", 0));
    let no_event = format!("There is no event {other} of this merchant in this mode, or it has expired.");
    assert_eq!(given_up.redeliver(&json!({"event": other})).await, Err(no_event));
    let request = json!({"merchant": given_up.merchant.id, "mode": "live", "event": event});
    let other_mode = given_up.stack.invoke("redeliver-event", &request).await.unwrap_err();
    assert!(other_mode["errorMessage"].as_str().unwrap().starts_with("There is no event "), "{other_mode}");
    let no_delivery = format!("The event {event} has no such delivery; no endpoint received it when it happened.");
    assert_eq!(given_up.redeliver(&json!({"event": event, "endpoint": nowhere})).await, Err(no_delivery));
    let no_endpoint = |id: &str| format!("There is no webhook endpoint {id}, or it was deleted.");
    let since = clock::in_seconds(-3600);
    let missing = given_up.redeliver(&json!({"endpoint": nowhere, "since": since})).await;
    assert_eq!(missing, Err(no_endpoint(&nowhere)));

    given_up.change(ENABLED_VERSION, &json!({"event_types": ["refund.*"]})).await;
    let not_wanted = format!("The webhook endpoint {endpoint} no longer receives events of this type.");
    assert_eq!(given_up.redeliver_event().await, Err(not_wanted));
    given_up.change(ENABLED_VERSION + 1, &json!({"event_types": ["*"], "status": "disabled"})).await;
    let disabled = format!(
        "The webhook endpoint {endpoint} is disabled; when its merchant has enabled it, send the same request again."
    );
    let of_endpoint = json!({"endpoint": endpoint, "since": since});
    assert_eq!(given_up.redeliver_event().await, Err(disabled.clone()));
    assert_eq!(given_up.redeliver(&of_endpoint).await, Err(disabled));
    given_up.merchant.client.webhook_endpoint_deletion(endpoint).send().await.expect(204);
    assert_eq!(given_up.redeliver_event().await, Err(no_endpoint(endpoint)));
    assert_eq!(given_up.redeliver(&of_endpoint).await, Err(no_endpoint(endpoint)));
    assert_eq!(given_up.stored().await.get("wake"), None);
}

#[tokio::test]
async fn an_endpoint_disabled_meanwhile_gets_nothing() {
    let given_up = GivenUp::start().await;
    let answer = given_up.overtaken(given_up.change(ENABLED_VERSION, &json!({"status": "disabled"}))).await;
    assert!(answer.as_ref().is_err_and(|error| error.contains("is disabled")), "{answer:?}");
    assert_eq!((&given_up.stored().await["status"], given_up.receiver.attempts().len()), (&json!("failed"), 1));
}

#[tokio::test]
async fn an_event_expired_meanwhile_is_not_kept() {
    let given_up = GivenUp::start().await;
    let (pk, sk) = given_up.event_key();
    let table = given_up.stack.table();
    let expired = table.update(&pk, sk, "SET expires_at = :past", json!({":past": {"N": "1"}}));
    let answer = given_up.overtaken(expired).await;
    assert!(answer.as_ref().is_err_and(|error| error.starts_with("There is no event")), "{answer:?}");
    assert_eq!(
        (&given_up.stored().await["status"], &table.item(&pk, sk).await.unwrap()["expires_at"]),
        (&json!("failed"), &json!(1))
    );
}

/// An event's id of the same time and shard, with this number as its hash.
fn numbered(id: &str, number: usize) -> String {
    format!("{}{number:014}", &id[..16])
}

#[tokio::test]
async fn all_of_an_endpoint_since_a_time_are_sent_again() {
    const MORE: usize = 140;
    let given_up = GivenUp::start().await;
    let (table, tenant) = (given_up.stack.table(), given_up.merchant.tenant());
    let (pk, sk) = given_up.event_key();
    let event = table.raw_item(&pk, sk).await;
    let delivery = table.raw_item(&format!("{tenant}#{sk}"), &given_up.endpoint).await;
    let copied = |id: &str| {
        let (mut event, mut delivery) = (event.clone(), delivery.clone());
        for name in ["sk", "id"] {
            event[name] = json!({"S": id});
        }
        delivery["pk"] = json!({"S": format!("{tenant}#{id}")});
        for name in ["event", "listing_at"] {
            delivery[name] = json!({"S": id});
        }
        [event, delivery]
    };
    let ids = (0..MORE).map(|number| numbered(sk, number));
    let mut items: Vec<Value> = ids.flat_map(|id| copied(&id)).collect();
    // One from 1970, one that cannot be read, and one that has succeeded after a failure.
    items.extend(copied(&format!("evt_{:010}{}", 0, &sk[14..])));
    let [spoilt, succeeded] = [MORE, MORE + 1].map(|number| copied(&numbered(sk, number)));
    let spoil = |[event, mut delivery]: [Value; 2], name: &str, value: Value| {
        delivery[name] = value;
        [event, delivery]
    };
    items.extend(spoil(spoilt, "attempts", json!({"S": "rubbish"})));
    items.extend(spoil(succeeded, "status", json!({"S": "succeeded"})));
    table.put_all(&items).await;

    let request = json!({"endpoint": given_up.endpoint, "since": clock::in_seconds(-3600)});
    let sent = redelivery(&json!({"redelivered": MORE + 1, "succeeded": 1, "unreadable": 1}));
    assert_eq!(given_up.redeliver(&request).await, sent);
    let books = Books::read(&table, &tenant).await;
    let woken = books.deliveries.iter().filter(|it| it["status"] == "pending" && it["wake"] == 1);
    assert_eq!(woken.count(), MORE + 1);
    // The same again: what was sent is in the list of failures no more.
    let again = redelivery(&json!({"succeeded": 1, "unreadable": 1}));
    assert_eq!(given_up.redeliver(&request).await, again);
}

#[tokio::test]
async fn a_delivery_given_up_without_an_attempt_is_sent_again() {
    let given_up = GivenUp::start().await;
    let (table, tenant) = (given_up.stack.table(), given_up.merchant.tenant());
    // As if the endpoint were down: a second event is put off, and its merchant disables the endpoint.
    given_up.stack.fails_since(&given_up.merchant, &given_up.endpoint, 3600).await;
    table
        .update(
            &format!("{tenant}#webhooks"),
            &given_up.endpoint,
            "SET probe_at = :at",
            json!({":at": {"S": clock::in_seconds(3600)}}),
        )
        .await;
    let payment = given_up.merchant.client.pay(1250, "USD", "tok_visa").await;
    let work = async |function: &str, message: Value| {
        given_up.stack.invoke(function, &event::sqs(&[message])).await.unwrap();
    };
    work("call-processor", event::payment_message(&given_up.merchant.id, &payment)).await;
    let books = Books::read(&table, &tenant).await;
    let second = books.events_of(&payment)[0]["sk"].as_str().unwrap().to_owned();
    work("deliver-webhook", event::event_message(&given_up.merchant.id, &second)).await;
    given_up.change(ENABLED_VERSION, &json!({"status": "disabled"})).await;
    let (pk, past) = (format!("{tenant}#{second}"), json!({":past": {"S": clock::in_seconds(-5)}}));
    table.update(&pk, &given_up.endpoint, "SET next_attempt_at = :past", past).await;
    work("deliver-webhook", event::delivery_message(&given_up.merchant.id, &second, &given_up.endpoint)).await;
    let stored = table.item(&pk, &given_up.endpoint).await.unwrap();
    assert_eq!((&stored["status"], &stored["attempts"]), (&json!("failed"), &json!(0)), "{stored:?}");
    given_up.change(ENABLED_VERSION + 1, &json!({"status": "enabled"})).await;
    let request = json!({"endpoint": given_up.endpoint, "since": clock::in_seconds(-3600)});
    assert_eq!(given_up.redeliver(&request).await, redelivery(&json!({"redelivered": 2})));
}
