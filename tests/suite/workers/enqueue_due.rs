//! `enqueue-due` enqueues unfinished work again.

use serde_json::json;
use spillway_tests::clock::now;
use spillway_tests::oracle::settled;
use spillway_tests::queues::copies;
use spillway_tests::receiver::Receiver;
use spillway_tests::store_proxy::Matching;
use spillway_tests::{Deadline, Options, Stack, Template, event, eventually};

fn eager(template: Template) -> Options {
    Options::new()
        .template(template)
        .knob("FIRST_DUE_SECONDS", 1)
        .knob("CLAIM_SECONDS", 1)
        .knob("FOLD_DELAY_SECONDS", 0)
}

#[tokio::test]
async fn all_work_finishes_without_the_stream() {
    let stack = Stack::start(eager(Template::without_events(&["DispatchChanges"]))).await;
    let merchant = stack.new_merchant().await;
    let receiver = Receiver::start().await;
    merchant.client.create_webhook_endpoint(receiver.url(), &["payment.*"]).await;
    let id = merchant.client.pay(1250, "USD", "tok_visa").await;
    eventually("the payment is delivered", Deadline::SOON, async || {
        stack.run_due().await;
        if receiver.attempts().is_empty() {
            Err(stack.client(merchant.client.secret()).payment(&id).await.to_string())
        } else {
            Ok(())
        }
    })
    .await;
    settled(&stack, &merchant.tenant(), 1).await;
}

#[tokio::test]
async fn a_claim_moves_the_due_time_and_is_counted() {
    let stack = Stack::start(eager(Template::without_triggers())).await;
    let merchant = stack.new_merchant().await;
    let id = merchant.client.pay(1250, "USD", "tok_visa").await;
    let (pk, queues) = (format!("{}#{id}", merchant.tenant()), stack.queues());
    let queue = queues.url("ProcessorQueue").await;
    let mut before = stack.table().item(&pk, "payment").await.unwrap()["due_at"].clone();
    for claims in 1..=2 {
        let after = eventually("it is claimed", Deadline::SOON, async || {
            stack.run_due().await;
            let item = stack.table().item(&pk, "payment").await.unwrap();
            if item["due_at"] == before { Err(format!("{item:?}")) } else { Ok(item["due_at"].clone()) }
        })
        .await;
        assert!(after.as_str() > before.as_str(), "{after} is not after {before}");
        assert_eq!(queues.depth(&queue).await, claims * copies());
        before = after;
    }
    assert_eq!(stack.table().item(&pk, "payment").await.unwrap()["version"], 1);
}

#[tokio::test]
async fn finished_work_is_not_claimed() {
    let stack = Stack::start(eager(Template::without_triggers()).store_proxy()).await;
    let merchant = stack.new_merchant().await;
    let claim = stack.store_proxy().hold(usize::MAX, Matching::operation("UpdateItem").with("\"due_claims\""));
    let id = merchant.client.pay(1250, "USD", "tok_visa").await;
    let sweeps = async {
        while claim.count() == 0 {
            // Its answer does not matter: it may have waited too long for the claim.
            let _ = stack.invoke("enqueue-due", &json!({})).await;
        }
    };
    let settling = async {
        claim.reached(1).await;
        stack.invoke("call-processor", &event::sqs(&[event::payment_message(&merchant.id, &id)])).await.unwrap();
        claim.forward();
    };
    futures::future::join(sweeps, settling).await;
    let payment = stack.table().item(&format!("{}#{id}", merchant.tenant()), "payment").await.unwrap();
    assert_eq!(payment["status"], "succeeded");
    let left: Vec<_> = ["due", "due_at", "due_claims"].into_iter().filter(|name| payment.contains_key(*name)).collect();
    assert!(left.is_empty(), "{left:?} of {payment:?}");
    let queues = stack.queues();
    assert_eq!(queues.depth(&queues.url("ProcessorQueue").await).await, 0);
}

#[tokio::test]
async fn a_sweep_stops_in_time_and_the_next_continues() {
    const PAYMENTS: u64 = 40;
    // Ten seconds are kept in reserve: money gets a third of the other eight. A store call is retried after three.
    let quick = Template::without_triggers().with(&["Resources", "EnqueueDue", "Properties", "Timeout"], "18");
    let options = Options::new().template(quick).store_proxy().knob("FIRST_DUE_SECONDS", 1);
    let stack = Stack::start(options.knob("STORE_DEADLINE_MS", 9000).unkilled()).await;
    let merchant = stack.new_merchant().await;
    let mut last = String::new();
    for _ in 0..PAYMENTS {
        last = format!("{}#{}", merchant.tenant(), merchant.client.pay(1250, "USD", "tok_visa").await);
        // All in one partition of the index, whose claims are concurrent.
        let key = json!({"pk": {"S": last}, "sk": {"S": "payment"}});
        let moved = json!({"Key": key, "UpdateExpression": "SET due = :one",
            "ExpressionAttributeValues": {":one": {"S": "due#money#0"}}});
        stack.table().call("UpdateItem", moved).await;
    }
    let last = stack.table().item(&last, "payment").await.unwrap();
    eventually("all are due", Deadline::SOON, async || {
        if last["due_at"].as_str().unwrap() < now().as_str() { Ok(()) } else { Err(now()) }
    })
    .await;
    // As many claims as run concurrently wait for the store.
    let slow = stack.store_proxy().hold(16, Matching::operation("UpdateItem").with("\"due_claims\""));
    let queues = stack.queues();
    let queue = queues.url("ProcessorQueue").await;
    stack.run_due().await;
    assert_eq!(slow.count(), 16);
    assert_eq!(queues.depth(&queue).await, 16 * copies());
    slow.forward();
    stack.run_due().await;
    assert_eq!(queues.depth(&queue).await, PAYMENTS * copies());
}
