//! `call-processor`: the terms of a capture, and refused commits.

use futures::future::join;
use serde_json::json;
use spillway_tests::oracle::{Books, figures};
use spillway_tests::store_proxy::{Fault, Matching};
use spillway_tests::{Merchant, Options, Stack, Template, event};

/// Creates a payment of 1250 and runs call-processor; returns its id and the result of the message.
async fn charge(stack: &Stack, merchant: &Merchant, currency: &str) -> (String, serde_json::Value) {
    let id = merchant.client.pay(1250, currency, "tok_visa").await;
    stack.store_proxy().forget_calls();
    (id.clone(), ask(stack, merchant, &id).await)
}

async fn ask(stack: &Stack, merchant: &Merchant, id: &str) -> serde_json::Value {
    stack.invoke("call-processor", &event::sqs(&[event::payment_message(&merchant.id, id)])).await.unwrap()
}

/// Number of reads of the merchant for the last message.
fn reads(stack: &Stack) -> usize {
    stack.store_proxy().count(&Matching::operation("GetItem").with("\"merchant\""))
}

/// Sets 100 basis points + 5. Returns a client whose key is not cached.
async fn add_pounds(stack: &Stack, merchant: &Merchant) -> Merchant {
    let pounds = json!({"GBP": {"fee_basis_points": 100, "fee_fixed": 5}});
    stack.invoke("update-merchant", &json!({"merchant": merchant.id, "currencies": pounds})).await.unwrap();
    Merchant { id: merchant.id.clone(), client: stack.new_key(&merchant.id, json!({})).await }
}

#[tokio::test]
async fn a_currency_added_after_caching_has_its_price() {
    // With the cache's own lifetime.
    let stack = Stack::start(Options::new().store_proxy().template(Template::without_triggers()).unkilled()).await;
    let merchant = stack.new_merchant().await;
    let done = json!({"batchItemFailures": []});
    // 290 basis points of 1250 are 36.25, so 36; and 30.
    let (id, answer) = charge(&stack, &merchant, "USD").await;
    assert_eq!((answer, reads(&stack)), (done.clone(), 1));
    assert_eq!(merchant.client.payment(&id).await["fee"], 66);
    let (_, answer) = charge(&stack, &merchant, "USD").await;
    assert_eq!((answer, reads(&stack)), (done.clone(), 0), "the merchant is cached");

    let merchant = add_pounds(&stack, &merchant).await;
    // 100 basis points of 1250 are 12.5, half to even 12; and 5. The merchant is read once for it.
    for expected_reads in [1, 0] {
        let (id, answer) = charge(&stack, &merchant, "GBP").await;
        assert_eq!((answer, reads(&stack)), (done.clone(), expected_reads));
        assert_eq!(merchant.client.payment(&id).await["fee"], 17);
    }
    assert_eq!(merchant.client.balance("GBP").await, (0, 2 * 1233));
    let books = Books::read(&stack.table(), &merchant.tenant()).await;
    let fees = books.entries.iter().filter(|entry| entry["currency"] == "GBP").map(|entry| figures(entry).1);
    assert_eq!(fees.collect::<Vec<_>>(), [17, 17]);
}

#[tokio::test]
async fn a_payment_waits_for_its_price() {
    let stack = Stack::start(Options::new().store_proxy().template(Template::without_triggers()).unkilled()).await;
    let merchant = add_pounds(&stack, &stack.new_merchant().await).await;
    let id = merchant.client.pay(1250, "GBP", "tok_visa").await;
    // No code removes a currency; this is an edit by hand.
    stack.table().update(&merchant.id, "merchant", "REMOVE currencies.GBP", json!({})).await;
    let failed = json!({"batchItemFailures": [{"itemIdentifier": "m0"}]});
    assert_eq!(ask(&stack, &merchant, &id).await, failed);
    assert_eq!(merchant.client.payment(&id).await["status"], "processing");
    let books = Books::read(&stack.table(), &merchant.tenant()).await;
    assert_eq!((books.entries.len(), books.movements.len(), books.events.len()), (0, 0, 0));
    assert!(stack.log().contains(&format!("the merchant {} has no price for GBP", merchant.id)), "{}", stack.log());

    add_pounds(&stack, &merchant).await;
    assert_eq!(ask(&stack, &merchant, &id).await, json!({"batchItemFailures": []}));
    assert_eq!(merchant.client.payment(&id).await["fee"], 17);
    let books = Books::read(&stack.table(), &merchant.tenant()).await;
    assert_eq!((books.charged(&id), books.entries_of(&id).len()), (1, 1));
}

/// AWS does not promise to report every failed condition.
#[tokio::test]
async fn a_second_outcome_is_stale_by_any_failed_condition() {
    let stack = Stack::start(Options::new().store_proxy().template(Template::without_triggers()).unkilled()).await;
    let merchant = stack.new_merchant().await;
    let id = merchant.client.pay(1250, "USD", "tok_visa").await;
    let (proxy, commits) = (stack.store_proxy(), Matching::operation("TransactWriteItems").with(&id));
    // One copy of the message is about to commit while the other commits. The store then reports only the entry's
    // condition.
    let first = proxy.hold(1, commits.clone());
    proxy.fault_after(1, 1, commits.clone(), Fault::Canceled(1, "ConditionalCheckFailed"));
    let other = async {
        first.reached(1).await;
        let answer = ask(&stack, &merchant, &id).await;
        first.close();
        answer
    };
    let done = json!({"batchItemFailures": []});
    assert_eq!(join(ask(&stack, &merchant, &id), other).await, (done.clone(), done));
    assert_eq!(proxy.count(&commits), 3);
    let books = Books::read(&stack.table(), &merchant.tenant()).await;
    assert_eq!((books.charged(&id), books.entries_of(&id).len(), books.faults()), (1, 1, Vec::new()));
}

#[tokio::test]
async fn a_refused_put_of_an_unchanged_payment_is_an_error() {
    let stack = Stack::start(Options::new().store_proxy().template(Template::without_triggers()).unkilled()).await;
    let merchant = stack.new_merchant().await;
    let commits = Matching::operation("TransactWriteItems");
    stack.store_proxy().fault(1, commits, Fault::Canceled(1, "ConditionalCheckFailed"));
    let (id, answer) = charge(&stack, &merchant, "USD").await;
    assert_eq!(answer, json!({"batchItemFailures": [{"itemIdentifier": "m0"}]}));
    assert_eq!(merchant.client.payment(&id).await["status"], "processing");
    assert!(stack.log().contains("an item can't be read"), "{}", stack.log());
    assert_eq!(ask(&stack, &merchant, &id).await, json!({"batchItemFailures": []}));
    assert_eq!(merchant.client.payment(&id).await["status"], "succeeded");
}
