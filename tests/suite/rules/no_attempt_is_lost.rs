//! An attempt is made once for each of its times, and none is lost: whatever fails in between, something brings it back.

use serde_json::json;
use spillway_tests::auditor::Books;
use spillway_tests::queues::copies;
use spillway_tests::receiver::{Receiver, Reply};
use spillway_tests::store_proxy::{Fault, Matching};
use spillway_tests::{Deadline, Merchant, Options, Stack, Template, event, eventually};

fn quick() -> Options {
    Options::new().knob("WEBHOOK_WAITS_SECONDS", "1,1,1,1").knob("FIRST_DUE_SECONDS", 1).knob("CLAIM_SECONDS", 1)
}

#[tokio::test]
async fn an_endpoint_that_has_failed_for_120_hours_is_disabled() {
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
    let long_ago = json!({"Key": {"pk": {"S": partition}, "sk": {"S": id}}, "UpdateExpression": "SET failing_since = :at",
        "ExpressionAttributeValues": {":at": {"S": "2026-01-01T00:00:00.000Z"}}});
    stack.table().call("UpdateItem", long_ago).await;
    eventually("the endpoint is disabled", Deadline::SOON, async || {
        stack.run_due().await;
        let stored = stored().await;
        if stored["status"] == "disabled" { Ok(()) } else { Err(format!("{stored:?}")) }
    })
    .await;
}

#[tokio::test]
async fn the_next_attempt_is_due_even_if_its_message_is_lost() {
    let stack = Stack::start(quick().template(Template::still())).await;
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

/// Pays and calls the processor, in a stack where nothing moves by itself; gives the event's id.
async fn one_event(stack: &Stack, merchant: &Merchant) -> String {
    let id = merchant.client.pay(1250, "USD", "tok_visa").await;
    stack.invoke("call-processor", &event::sqs(&[event::payment_message(&merchant.id, &id)])).await.unwrap();
    let books = Books::read(&stack.table(), &merchant.tenant()).await;
    books.events_of(&id)[0]["sk"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn an_event_stays_due_until_every_attempt_of_it_is_stored() {
    let stack = Stack::start(quick().store_proxy().template(Template::still())).await;
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
async fn two_copies_of_a_retrys_message_make_one_attempt() {
    let options = quick().knob("WEBHOOK_WAITS_SECONDS", 0).store_proxy();
    let stack = Stack::start(options.template(Template::still())).await;
    let merchant = stack.new_merchant().await;
    let receiver = Receiver::scripted([Reply::Status(500)]).await;
    let endpoint = merchant.client.create_webhook_endpoint(receiver.url(), &["payment.*"]).await;
    let id = one_event(&stack, &merchant).await;
    stack.invoke("deliver-webhook", &event::sqs(&[event::event_message(&merchant.id, &id)])).await.unwrap();
    let retry = json!({"thing": "delivery", "tenant": merchant.tenant(), "event": id, "endpoint": endpoint["id"]});
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
