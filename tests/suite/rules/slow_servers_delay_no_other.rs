//! A merchant's server that does not answer keeps no process from the work for other merchants, and gets one attempt at
//! a time. When it answers, it gets every event, each once.

use futures::future::{join, join3};
use serde_json::{Value, json};
use spillway_tests::clock::in_seconds;
use spillway_tests::oracle::Books;
use spillway_tests::queues::copies;
use spillway_tests::receiver::{Attempt, Receiver, Reply};
use spillway_tests::store_proxy::Matching;
use spillway_tests::{Deadline, Merchant, Options, Stack, Template, event, eventually};

/// A merchant with one endpoint.
struct Shop {
    merchant: Merchant,
    receiver: Receiver,
    endpoint: String,
}

impl Shop {
    async fn open(stack: &Stack, receiver: Receiver) -> Shop {
        let merchant = stack.new_merchant().await;
        let endpoint = merchant.client.create_webhook_endpoint(receiver.url(), &["payment.*"]).await;
        Shop { merchant, receiver, endpoint: endpoint["id"].as_str().unwrap().to_owned() }
    }

    /// Creates and charges a payment in a stack without triggers; returns the event's id.
    async fn event(&self, stack: &Stack) -> String {
        let id = self.merchant.client.pay(1250, "USD", "tok_visa").await;
        let charge = event::sqs(&[event::payment_message(&self.merchant.id, &id)]);
        stack.invoke("call-processor", &charge).await.unwrap();
        self.books(stack).await.events_of(&id)[0]["sk"].as_str().unwrap().to_owned()
    }

    fn message(&self, event: &str) -> Value {
        event::event_message(&self.merchant.id, event)
    }

    async fn books(&self, stack: &Stack) -> Books {
        Books::read(&stack.table(), &self.merchant.tenant()).await
    }

    /// Waits until the endpoint is down, or is not.
    async fn is_down(&self, stack: &Stack, expected: bool) {
        eventually("the endpoint's health is stored", Deadline::SOON, async || {
            let stored = stack.table().item(&format!("{}#webhooks", self.merchant.tenant()), &self.endpoint).await;
            let stored = stored.unwrap();
            if stored.contains_key("probe_at") == expected { Ok(()) } else { Err(format!("{stored:?}")) }
        })
        .await;
    }
}

fn done() -> Value {
    json!({"batchItemFailures": []})
}

fn without_triggers() -> Options {
    Options::new().template(Template::without_triggers()).unkilled()
}

#[tokio::test]
async fn a_waiting_invocation_takes_other_messages() {
    let stack = Stack::start(without_triggers().knob("WEBHOOK_DEADLINE_MS", 20_000)).await;
    let (slow, other) =
        (Shop::open(&stack, Receiver::hanging().await).await, Shop::open(&stack, Receiver::start().await).await);
    let batch = event::sqs(&[slow.message(&slow.event(&stack).await)]);
    let queues = stack.queues();
    let queue = queues.url("WebhooksQueue").await;
    for _ in 0..2 {
        queues.send(&queue, &other.message(&other.event(&stack).await).to_string()).await;
    }
    queues.send(&queue, "poison").await;
    let meanwhile = async {
        other.receiver.attempts_at_least(2, Deadline::SOON).await;
        // Only the message that can't be read stays.
        eventually("the messages are deleted", Deadline::SOON, async || {
            let depth = queues.depth(&queue).await;
            if depth == copies() { Ok(()) } else { Err(format!("{depth} messages")) }
        })
        .await;
        slow.receiver.works();
    };
    let (answer, ()) = join(stack.invoke("deliver-webhook", &batch), meanwhile).await;
    assert_eq!(answer.unwrap(), done());
    assert_eq!(slow.receiver.count(), 1);
}

#[tokio::test]
async fn a_server_that_hangs_gets_one_attempt_until_it_answers() {
    let stack = Stack::start(Options::new().knob("WEBHOOK_DEADLINE_MS", 20_000).unkilled()).await;
    let shop = Shop::open(&stack, Receiver::hanging().await).await;
    shop.merchant.client.paid(1250, "USD").await;
    stack.attempts_at_least(&shop.receiver, 1, Deadline::SOON).await;
    shop.is_down(&stack, true).await;
    let first = shop.receiver.count();
    for _ in 0..3 {
        shop.merchant.client.paid(1250, "USD").await;
    }
    let put_off = eventually("the others are put off", Deadline::SOON, async || {
        let deliveries = shop.books(&stack).await.deliveries;
        if deliveries.len() == 3 { Ok(deliveries) } else { Err(format!("{deliveries:?}")) }
    })
    .await;
    for delivery in put_off {
        assert_eq!((&delivery["attempts"], &delivery["put_offs"]), (&json!(0), &json!(1)), "{delivery:?}");
        // 300 s, 20 % more or less; some have passed.
        assert!(delivery["next_attempt_at"].as_str() > Some(&in_seconds(200)), "{delivery:?}");
    }
    assert_eq!(shop.receiver.count(), first);
    shop.receiver.works();
    eventually("all are delivered", Deadline::SOON, async || {
        let deliveries = shop.books(&stack).await.deliveries;
        let succeeded = deliveries.iter().filter(|delivery| delivery["status"] == "succeeded").count();
        if succeeded == 4 { Ok(()) } else { Err(format!("{deliveries:?}")) }
    })
    .await;
    shop.is_down(&stack, false).await;
    // Only first attempts may be made twice, by two copies of a message.
    let mut ids: Vec<String> = shop.receiver.attempts().iter().map(Attempt::id).map(str::to_owned).collect();
    let attempts = ids.len();
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), 4);
    assert!(attempts <= 4 * usize::try_from(copies()).unwrap(), "{attempts} attempts");
}

/// Also what an operator sends again, in whatever number, does not reach a server that is down.
#[tokio::test]
async fn a_repeated_attempt_is_put_off_while_the_endpoint_is_down() {
    let stack = Stack::start(without_triggers().knob("WEBHOOK_WAITS_SECONDS", "0,3600")).await;
    let shop = Shop::open(&stack, Receiver::scripted([Reply::Status(500)]).await).await;
    let id = shop.event(&stack).await;
    stack.invoke("deliver-webhook", &event::sqs(&[shop.message(&id)])).await.unwrap();
    let (partition, table) = (format!("{}#webhooks", shop.merchant.tenant()), stack.table());
    let probe_at = async |seconds| {
        table
            .update(&partition, &shop.endpoint, "SET probe_at = :at", json!({":at": {"S": in_seconds(seconds)}}))
            .await;
    };
    let retry = event::sqs(&[event::delivery_message(&shop.merchant.id, &id, &shop.endpoint)]);
    probe_at(3600).await;
    assert_eq!(stack.invoke("deliver-webhook", &retry).await.unwrap(), done());
    assert_eq!(shop.receiver.count(), 1);
    let stored = shop.books(&stack).await.deliveries.remove(0);
    assert_eq!(
        (&stored["attempts"], &stored["put_offs"], &stored["status"]),
        (&json!(1), &json!(1), &json!("pending"))
    );
    let (delivery, due) = (format!("{}#{id}", shop.merchant.tenant()), json!({":now": {"S": in_seconds(0)}}));
    table.update(&delivery, &shop.endpoint, "SET next_attempt_at = :now", due).await;
    // Now it probes the endpoint, and the endpoint works again.
    probe_at(0).await;
    assert_eq!(stack.invoke("deliver-webhook", &retry).await.unwrap(), done());
    assert_eq!(shop.receiver.count(), 2);
    let endpoint = table.item(&partition, &shop.endpoint).await.unwrap();
    assert!(["probe_at", "failing_since"].iter().all(|name| !endpoint.contains_key(*name)), "{endpoint:?}");
    assert_eq!(endpoint["wake"], 1, "{endpoint:?}");
    let stored = shop.books(&stack).await.deliveries.remove(0);
    assert_eq!((&stored["attempts"], &stored["status"]), (&json!(2), &json!("succeeded")), "{stored:?}");
}

/// Each of two copies of a message makes the first attempt. The slow one is the probe, and the other one is stored.
#[tokio::test]
async fn a_successful_probe_counts_if_another_copy_is_stored() {
    // The store's patience outlasts the read that is held.
    let options = without_triggers().store_proxy().knob("WEBHOOK_DEADLINE_MS", 20_000);
    let stack = Stack::start(options.knob("STORE_DEADLINE_MS", 9000)).await;
    let shop = Shop::open(&stack, Receiver::scripted([Reply::Held]).await).await;
    let id = shop.event(&stack).await;
    let message = event::sqs(&[shop.message(&id)]);
    // The faster copy has read the endpoint before the slow one makes it down.
    let read = stack.store_proxy().hold(1, Matching::operation("GetItem").with(&id));
    let slow = async {
        read.reached(1).await;
        stack.invoke("deliver-webhook", &message).await
    };
    let meanwhile = async {
        shop.receiver.attempts_at_least(1, Deadline::SOON).await;
        shop.is_down(&stack, true).await;
        read.forward();
        eventually("the faster copy's result is stored", Deadline::SOON, async || {
            let deliveries = shop.books(&stack).await.deliveries;
            if deliveries.len() == 1 { Ok(()) } else { Err(format!("{deliveries:?}")) }
        })
        .await;
        shop.is_down(&stack, true).await;
        shop.receiver.works();
    };
    let (faster, slow, ()) = join3(stack.invoke("deliver-webhook", &message), slow, meanwhile).await;
    assert_eq!((faster.unwrap(), slow.unwrap(), shop.receiver.count()), (done(), done(), 2));
    shop.is_down(&stack, false).await;
    let endpoint = stack.table().item(&format!("{}#webhooks", shop.merchant.tenant()), &shop.endpoint).await.unwrap();
    assert_eq!(endpoint["wake"], 1, "{endpoint:?}");
}

/// The same for a later attempt, if its claim ends before the server answers.
#[tokio::test]
async fn a_successful_probe_counts_if_its_claim_has_ended() {
    let options = without_triggers().knob("WEBHOOK_DEADLINE_MS", 20_000).knob("WEBHOOK_WAITS_SECONDS", "0,3600");
    let stack = Stack::start(options).await;
    let shop = Shop::open(&stack, Receiver::scripted([Reply::Status(500), Reply::Held]).await).await;
    let id = shop.event(&stack).await;
    assert_eq!(stack.invoke("deliver-webhook", &event::sqs(&[shop.message(&id)])).await.unwrap(), done());
    let retry = event::sqs(&[event::delivery_message(&shop.merchant.id, &id, &shop.endpoint)]);
    let meanwhile = async {
        shop.receiver.attempts_at_least(2, Deadline::SOON).await;
        shop.is_down(&stack, true).await;
        let (delivery, two) = (format!("{}#{id}", shop.merchant.tenant()), json!({":two": {"N": "2"}}));
        stack.table().update(&delivery, &shop.endpoint, "SET attempts = :two", two).await;
        shop.receiver.works();
    };
    let (answer, ()) = join(stack.invoke("deliver-webhook", &retry), meanwhile).await;
    assert_eq!((answer.unwrap(), shop.receiver.count()), (done(), 2));
    shop.is_down(&stack, false).await;
    assert_eq!(shop.books(&stack).await.deliveries[0]["status"], "pending");
}

/// An attempt that was under way before the endpoint was down says nothing about the slow one.
#[tokio::test]
async fn only_a_probe_shows_that_an_endpoint_works_again() {
    let stack = Stack::start(without_triggers().store_proxy()).await;
    let shop = Shop::open(&stack, Receiver::start().await).await;
    let batch = event::sqs(&[shop.message(&shop.event(&stack).await)]);
    stack.fails_since(&shop.merchant, &shop.endpoint, 60).await;
    let works = stack.store_proxy().hold(1, Matching::operation("UpdateItem").with("failing_since"));
    let (partition, table) = (format!("{}#webhooks", shop.merchant.tenant()), stack.table());
    let meanwhile = async {
        works.reached(1).await;
        let at = json!({":at": {"S": in_seconds(60)}});
        table.update(&partition, &shop.endpoint, "SET probe_at = :at", at).await;
        works.forward();
    };
    let (answer, ()) = join(stack.invoke("deliver-webhook", &batch), meanwhile).await;
    assert_eq!((answer.unwrap(), shop.receiver.count()), (done(), 1));
    let endpoint = table.item(&partition, &shop.endpoint).await.unwrap();
    assert!(["probe_at", "failing_since"].iter().all(|name| endpoint.contains_key(*name)), "{endpoint:?}");
}
