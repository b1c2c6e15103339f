//! A stored entry, movement or event is never overwritten: a commit that would do so writes nothing.

use serde_json::{Value, json};
use spillway_tests::oracle::Books;
use spillway_tests::store_proxy::{Hold, Matching};
use spillway_tests::table::Item;
use spillway_tests::{Options, Stack, Template, event};

/// The key in the held commit of this payment, in a partition whose name contains `part`.
fn key_to_be_written(stack: &Stack, payment: &str, part: &str) -> (String, String) {
    let calls = stack.store_proxy().calls();
    let commit = calls.iter().rfind(|call| call.operation == "TransactWriteItems" && call.body.contains(payment));
    let request: Value = serde_json::from_str(&commit.unwrap().body).unwrap();
    let items = request["TransactItems"].as_array().unwrap().iter().map(|action| &action["Put"]["Item"]);
    let key =
        |item: &Value| (item["pk"]["S"].as_str().unwrap().to_owned(), item["sk"]["S"].as_str().unwrap().to_owned());
    items.filter(|item| item.is_object()).map(key).find(|(pk, _)| pk.contains(part)).unwrap()
}

/// Stores another item at a key of the commit, then forwards the commit.
async fn plant(stack: &Stack, hold: &Hold, payment: &str, part: &str) -> (String, String) {
    hold.reached(1).await;
    let (pk, sk) = key_to_be_written(stack, payment, part);
    stack.table().put(json!({"pk": {"S": pk}, "sk": {"S": sk}, "source": {"S": "earlier"}})).await;
    hold.forward();
    (pk, sk)
}

#[tokio::test]
async fn a_commit_never_overwrites_a_posted_item() {
    let stack = Stack::start(Options::new().store_proxy().template(Template::without_triggers())).await;
    let merchant = stack.new_merchant().await;
    for part in ["#journal#", "#movements#", "#events#"] {
        let id = merchant.client.pay(1250, "USD", "tok_visa").await;
        let hold = stack.store_proxy().hold(usize::MAX, Matching::operation("TransactWriteItems").with(&id));
        let message = event::sqs(&[event::payment_message(&merchant.id, &id)]);
        let call = stack.invoke("call-processor", &message);
        let (answer, (pk, sk)) = futures::future::join(call, plant(&stack, &hold, &id, part)).await;
        stack.store_proxy().heal();
        assert_eq!(answer.unwrap(), json!({"batchItemFailures": [{"itemIdentifier": "m0"}]}), "{part}");
        let planted = json!({"pk": pk, "sk": sk, "source": "earlier"});
        assert_eq!(stack.table().item(&pk, &sk).await.map(Value::Object), Some(planted), "{part}");
        assert_eq!(merchant.client.payment(&id).await["status"], "processing", "{part}");
        let books = Books::read(&stack.table(), &merchant.tenant()).await;
        let written = books.entries.iter().chain(&books.movements).chain(&books.events);
        let of_this_payment: Vec<&Item> = written.filter(|item| item["source"] == id.as_str()).collect();
        assert!(of_this_payment.is_empty(), "{part}: {of_this_payment:?}");
    }
}
