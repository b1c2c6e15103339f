//! A conflict or throttle among the reasons of a failed write is retried as a whole, eight tries, then 503.

use serde_json::json;
use spillway_tests::auditor::Books;
use spillway_tests::store_proxy::{Fault, Matching};
use spillway_tests::{Merchant, Options, Stack, Template, event};

const TRIES: usize = 8;

async fn start() -> (Stack, Merchant) {
    let stack = Stack::start(Options::new().store_proxy().template(Template::still())).await;
    let merchant = stack.new_merchant().await;
    merchant.client.get("/balance").await.expect(200);
    (stack, merchant)
}

fn put() -> Matching {
    Matching::operation("PutItem").with("fingerprint")
}

#[tokio::test]
async fn a_put_that_meets_seven_conflicts_succeeds_and_one_that_meets_eight_is_503() {
    let (stack, merchant) = start().await;
    let payment = json!({"amount": 1250, "currency": "USD", "token": "tok_visa"});
    let proxy = stack.store_proxy();
    proxy.fault(TRIES - 1, put(), Fault::Error("TransactionConflictException"));
    merchant.client.create_payment("order-1", &payment).await.expect(202);
    assert_eq!(proxy.count(&put()), TRIES);

    proxy.forget_calls();
    proxy.fault(usize::MAX, put(), Fault::Error("TransactionConflictException"));
    let answer = merchant.client.create_payment("order-2", &payment).await.expect_problem(503, "unavailable");
    assert!(!answer.header("retry-after").is_empty());
    assert_eq!(proxy.count(&put()), TRIES);
}

#[tokio::test]
async fn a_transaction_canceled_by_a_conflict_or_throttle_at_any_place_is_retried() {
    let (stack, merchant) = start().await;
    let commit = || Matching::operation("TransactWriteItems");
    let codes = ["TransactionConflict", "ThrottlingError", "ProvisionedThroughputExceeded"];
    for (place, code) in (0..4).flat_map(|place| codes.map(|code| (place, code))) {
        let id = merchant.client.pay(1250, "USD", "tok_visa").await;
        stack.store_proxy().fault(2, commit(), Fault::Canceled(place, code));
        let message = event::sqs(&[event::payment_message(&merchant.id, &id)]);
        let answer = stack.invoke("call-processor", &message).await.unwrap();
        assert_eq!(answer, json!({"batchItemFailures": []}), "{code} at {place}");
        assert_eq!(merchant.client.payment(&id).await["status"], "succeeded", "{code} at {place}");
        stack.store_proxy().heal();
    }
    let books = Books::read(&stack, &merchant.tenant()).await;
    assert_eq!(books.faults(), Vec::<String>::new());
}

#[tokio::test]
async fn a_commit_that_never_gets_through_fails_its_message_and_no_other() {
    let (stack, merchant) = start().await;
    let (stuck, other) =
        (merchant.client.pay(1250, "USD", "tok_visa").await, merchant.client.pay(1250, "USD", "tok_visa").await);
    stack.store_proxy().fault(
        usize::MAX,
        Matching::operation("TransactWriteItems").with(&stuck),
        Fault::Canceled(0, "TransactionConflict"),
    );
    let batch =
        event::sqs(&[event::payment_message(&merchant.id, &stuck), event::payment_message(&merchant.id, &other)]);
    let answer = stack.invoke("call-processor", &batch).await.unwrap();
    assert_eq!(answer, json!({"batchItemFailures": [{"itemIdentifier": "m0"}]}));
    assert_eq!(merchant.client.payment(&stuck).await["status"], "processing");
    assert_eq!(merchant.client.payment(&other).await["status"], "succeeded");
    stack.store_proxy().heal();
    stack.invoke("call-processor", &batch).await.unwrap();
    let books = Books::read(&stack, &merchant.tenant()).await;
    assert_eq!(books.faults(), Vec::<String>::new());
}
