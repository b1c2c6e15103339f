//! `dispatch-changes` forwards changes of the stream without any write.

use serde_json::json;
use spillway_tests::queues::copies;
use spillway_tests::store_proxy::Matching;
use spillway_tests::{Options, Stack, Template, event};

#[tokio::test]
async fn a_batch_is_forwarded_without_store_calls() {
    let options = Options::new().store_proxy().knob("FOLD_ONE_OF", 1);
    let stack = Stack::start(options.template(Template::without_triggers())).await;
    let merchant = stack.new_merchant().await;
    let id = merchant.client.pay(1250, "USD", "tok_visa").await;
    let tenant = merchant.tenant();
    let entry = "txn_00000000000000000000000000";
    let inserted = [
        (format!("{tenant}#{id}"), "payment".to_owned()),
        (format!("{tenant}#movements#0"), format!("move#USD#2026-02-02#{entry}")),
        (format!("{tenant}#movements#1"), format!("move#USD#2026-02-03#{entry}")),
        (format!("{tenant}#events#0"), "evt_00000000000000000000000000".to_owned()),
    ];
    stack.store_proxy().forget_calls();
    let answer = stack.invoke("dispatch-changes", &event::stream(&inserted)).await.unwrap();
    assert_eq!(answer, json!({"batchItemFailures": []}));
    assert_eq!(stack.store_proxy().count(&Matching::all()), 0);

    let queues = stack.queues();
    let processor = queues.take(&queues.url("ProcessorQueue").await, 1).await;
    assert_eq!(processor, [event::payment_message(&merchant.id, &id)]);
    let webhooks = queues.take(&queues.url("WebhooksQueue").await, 1).await;
    assert_eq!(webhooks, [event::event_message(&merchant.id, "evt_00000000000000000000000000")]);
    // Two movements of one balance are one delayed message.
    assert_eq!(queues.depth(&queues.url("FoldsQueue").await).await, copies());
}

#[tokio::test]
async fn one_of_eight_movements_brings_a_fold() {
    let stack = Stack::start(Options::new().template(Template::without_triggers())).await;
    let merchant = stack.new_merchant().await;
    // Each in a part of its own: two movements of one part would be one message.
    let movement = |part: usize| {
        let shard = 4 * part;
        let key = format!("move#USD#2026-02-02#txn_{part:026}");
        (format!("{}#movements#{shard}", merchant.tenant()), key)
    };
    let inserted: Vec<_> = (0..256).map(movement).collect();
    let answer = stack.invoke("dispatch-changes", &event::stream(&inserted)).await.unwrap();
    assert_eq!(answer, json!({"batchItemFailures": []}));
    let queues = stack.queues();
    let folds = queues.depth(&queues.url("FoldsQueue").await).await / copies();
    // The mean is 32, the standard deviation 5.
    assert!((12..=52).contains(&folds), "{folds}");
}

#[tokio::test]
async fn a_batch_stops_at_its_first_unreadable_record() {
    let stack = Stack::start(Options::new().template(Template::without_triggers())).await;
    let merchant = stack.new_merchant().await;
    let payment = |number: usize| (format!("{}#pay_{number:026}", merchant.tenant()), "payment".to_owned());
    let batch = [payment(1), ("rubbish".to_owned(), "payment".to_owned()), payment(3)];
    let answer = stack.invoke("dispatch-changes", &event::stream(&batch)).await.unwrap();
    assert_eq!(answer, json!({"batchItemFailures": [{"itemIdentifier": "2"}]}));
    let queues = stack.queues();
    assert_eq!(queues.depth(&queues.url("ProcessorQueue").await).await, copies());
}

#[tokio::test]
async fn a_change_is_retried_when_its_message_can_not_be_sent() {
    // The queue of payments is missing; the others exist.
    let variables = ["Resources", "DispatchChanges", "Properties", "Environment", "Variables"];
    let url = [&variables[..], &["PROCESSOR_QUEUE_URL"]].concat();
    let template = Template::without_triggers().with(&url, "http://127.0.0.1:9/000000000000/nowhere");
    let stack = Stack::start(Options::new().template(template)).await;
    let merchant = stack.new_merchant().await;
    let tenant = merchant.tenant();
    let event = (format!("{tenant}#events#0"), "evt_00000000000000000000000000".to_owned());
    let payment = (format!("{tenant}#pay_00000000000000000000000000"), "payment".to_owned());
    let answer = stack.invoke("dispatch-changes", &event::stream(&[event.clone(), payment, event])).await.unwrap();
    assert_eq!(answer, json!({"batchItemFailures": [{"itemIdentifier": "2"}]}));
}
