//! The write that finishes an item removes the due time that its function read, but not one that was set since.

use serde_json::json;
use spillway_tests::oracle::Books;
use spillway_tests::store_proxy::Matching;
use spillway_tests::{Merchant, Options, Stack, Template, clock, event};

const LATER: &str = "2099-01-31T12:00:00.000Z";

async fn start(options: Options) -> (Stack, Merchant) {
    let stack = Stack::start(options.store_proxy().template(Template::without_triggers())).await;
    let merchant = stack.new_merchant().await;
    (stack, merchant)
}

/// Lets `function` process the message, and sets a new due time right before the write that removes it. Returns the
/// remaining due time.
async fn due_again(
    stack: &Stack, function: &str, message: serde_json::Value, removal: &str, (pk, sk): (&str, &str),
) -> serde_json::Value {
    let hold = stack.store_proxy().hold(usize::MAX, Matching::operation("UpdateItem").with(removal).with(sk));
    let set_anew = async {
        hold.reached(1).await;
        stack.table().update(pk, sk, "SET due_at = :later", json!({":later": {"S": LATER}})).await;
        hold.forward();
    };
    let messages = event::sqs(&[message]);
    let (answer, ()) = futures::future::join(stack.invoke(function, &messages), set_anew).await;
    assert_eq!(answer.unwrap(), json!({"batchItemFailures": []}));
    let item = stack.table().item(pk, sk).await.unwrap();
    assert!(item.contains_key("due"), "{item:?}");
    item["due_at"].clone()
}

#[tokio::test]
async fn a_delivered_event_keeps_a_due_time_set_meanwhile() {
    let (stack, merchant) = start(Options::new()).await;
    let id = merchant.client.pay(1250, "USD", "tok_visa").await;
    stack.invoke("call-processor", &event::sqs(&[event::payment_message(&merchant.id, &id)])).await.unwrap();
    let books = Books::read(&stack.table(), &merchant.tenant()).await;
    let event = books.events_of(&id)[0].clone();
    let key = (event["pk"].as_str().unwrap(), event["sk"].as_str().unwrap());
    let message = event::event_message(&merchant.id, key.1);
    assert_eq!(due_again(&stack, "deliver-webhook", message.clone(), "REMOVE", key).await, LATER);
    // The next message removes it.
    stack.invoke("deliver-webhook", &event::sqs(&[message])).await.unwrap();
    assert!(!stack.table().item(key.0, key.1).await.unwrap().contains_key("due"));
}

#[tokio::test]
async fn a_folded_balance_keeps_a_due_time_set_meanwhile() {
    let (stack, merchant) = start(Options::new()).await;
    let id = merchant.client.pay(1250, "USD", "tok_visa").await;
    stack.invoke("call-processor", &event::sqs(&[event::payment_message(&merchant.id, &id)])).await.unwrap();
    let message = event::balance_message(&merchant.id, "USD");
    stack.invoke("fold-balance", &event::sqs(std::slice::from_ref(&message))).await.unwrap();
    let balances = format!("{}#balances", merchant.tenant());
    // The state after a claim of the sweep.
    let claimed = json!({":at": {"S": "2026-01-31T12:00:00.000Z"}, ":one": {"N": "1"}});
    stack.table().update(&balances, "USD", "SET due_at = :at, due_claims = :one", claimed).await;
    let key = (balances.as_str(), "USD");
    assert_eq!(due_again(&stack, "fold-balance", message.clone(), "\"due_at\"", key).await, LATER);
    stack.invoke("fold-balance", &event::sqs(&[message])).await.unwrap();
    let balance = stack.table().item(&balances, "USD").await.unwrap();
    assert_eq!(balance["due_claims"], 0, "{balance:?}");
    assert!(balance["due_at"].as_str().unwrap() > clock::now().as_str(), "{balance:?}");
}

#[tokio::test]
async fn an_unclaimed_balance_is_written_once_per_fold() {
    let (stack, merchant) = start(Options::new()).await;
    let id = merchant.client.pay(1250, "USD", "tok_visa").await;
    stack.invoke("call-processor", &event::sqs(&[event::payment_message(&merchant.id, &id)])).await.unwrap();
    let message = event::sqs(&[event::balance_message(&merchant.id, "USD")]);
    stack.store_proxy().forget_calls();
    for _ in 0..2 {
        stack.invoke("fold-balance", &message).await.unwrap();
    }
    // A refused write costs as much as a successful one.
    assert_eq!(stack.store_proxy().count(&Matching::operation("UpdateItem")), 1);
}
