//! A final payment never changes, whatever message arrives.

use spillway_tests::oracle::{Books, settled};
use spillway_tests::store_proxy::Matching;
use spillway_tests::{Options, Stack, Template, event};

#[tokio::test]
async fn late_messages_do_not_change_a_final_payment() {
    let stack = Stack::start(Options::new()).await;
    let merchant = stack.new_merchant().await;
    let mut ids = Vec::new();
    for token in ["tok_visa", "tok_declined", "tok_insufficient_funds"] {
        ids.push(merchant.client.pay(1250, "USD", token).await);
    }
    let before = settled(&stack, &merchant.tenant(), ids.len()).await;
    let messages: Vec<_> = ids.iter().chain(&ids).map(|id| event::payment_message(&merchant.id, id)).collect();
    for _ in 0..3 {
        let answer = stack.invoke("call-processor", &event::sqs(&messages)).await.unwrap();
        assert_eq!(answer, serde_json::json!({"batchItemFailures": []}));
        stack.run_due().await;
    }
    let after = Books::read(&stack.table(), &merchant.tenant()).await;
    assert_eq!(after.faults(), Vec::<String>::new());
    assert_eq!(after.payments, before.payments);
    assert_eq!((after.entries.len(), after.events.len()), (before.entries.len(), before.events.len()));
    assert_eq!(after.charges, before.charges, "a final payment's processor is not called again");
}

#[tokio::test]
async fn a_message_about_an_unknown_payment_is_dropped() {
    let stack = Stack::start(Options::new()).await;
    let merchant = stack.new_merchant().await;
    let message = event::payment_message(&merchant.id, "pay_00000000000000000000000000");
    let answer = stack.invoke("call-processor", &event::sqs(&[message])).await.unwrap();
    assert_eq!(answer, serde_json::json!({"batchItemFailures": []}));
    assert!(Books::read(&stack.table(), &merchant.tenant()).await.payments.is_empty());
}

#[tokio::test]
async fn a_late_unknown_outcome_does_not_change_a_final_payment() {
    let stack = Stack::start(Options::new().store_proxy().template(Template::without_triggers())).await;
    let merchant = stack.new_merchant().await;
    // The first call charges without a reply; the second gets one.
    let id = merchant.client.pay(1250, "USD", "tok_timeout_then_ok").await;
    let message = event::sqs(&[event::payment_message(&merchant.id, &id)]);
    let note = stack.store_proxy().hold(usize::MAX, Matching::operation("UpdateItem").with("\"asking\""));
    let settling = async {
        note.reached(1).await;
        stack.invoke("call-processor", &message).await.unwrap();
        let before = Books::read(&stack.table(), &merchant.tenant()).await;
        note.forward();
        before
    };
    let (_, before) = futures::future::join(stack.invoke("call-processor", &message), settling).await;
    let after = Books::read(&stack.table(), &merchant.tenant()).await;
    assert_eq!(after.payments[&id]["status"], "succeeded");
    assert_eq!(after.payments, before.payments);
    assert_eq!(after.faults(), Vec::<String>::new());
}
