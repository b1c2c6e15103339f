//! A write that fails by a conflict or throttle is retried as a whole, up to eight tries; then the answer is 503.

use std::time::Duration;

use futures::future::{join, join_all};
use serde_json::json;
use spillway_tests::oracle::{Books, settled};
use spillway_tests::store_proxy::{Fault, Matching};
use spillway_tests::{Deadline, Merchant, Options, Stack, Template, event, eventually};

const TRIES: usize = 8;

async fn start() -> (Stack, Merchant) {
    let stack = Stack::start(Options::new().store_proxy().template(Template::without_triggers())).await;
    let merchant = stack.new_merchant().await;
    merchant.client.get("/balance").await.expect(200);
    // Calls of the setup.
    stack.store_proxy().forget_calls();
    (stack, merchant)
}

fn put() -> Matching {
    Matching::operation("PutItem").with("fingerprint")
}

#[tokio::test]
async fn a_put_survives_seven_conflicts_and_answers_503_at_eight() {
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
async fn a_transaction_is_retried_after_a_conflict_or_throttle() {
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
    let books = Books::read(&stack.table(), &merchant.tenant()).await;
    assert_eq!(books.faults(), Vec::<String>::new());
}

#[tokio::test]
async fn a_commit_in_constant_conflict_fails_its_message_only() {
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
    let books = Books::read(&stack.table(), &merchant.tenant()).await;
    assert_eq!(books.faults(), Vec::<String>::new());
}

#[tokio::test]
async fn concurrent_requests_in_conflict_all_create_payments() {
    const REQUESTS: usize = 200;
    let stack = Stack::start(Options::new().store_proxy()).await;
    let merchant = stack.new_merchant().await;
    merchant.client.get("/balance").await.expect(200);
    let proxy = stack.store_proxy();
    // Enough conflicts for each request to meet several, and for some to meet too many.
    proxy.fault(2 * REQUESTS, put(), Fault::Error("TransactionConflictException"));
    proxy.fault(REQUESTS, Matching::operation("TransactWriteItems"), Fault::Canceled(0, "TransactionConflict"));
    let payment = json!({"amount": 1250, "currency": "USD", "token": "tok_visa"});
    let requests: Vec<_> =
        (0..REQUESTS).map(|number| merchant.client.payment_request(&format!("order-{number}"), &payment)).collect();
    let answers = join_all(requests.iter().map(|request| request.send())).await;
    assert!(proxy.count(&put()) >= 2 * REQUESTS);
    proxy.heal();
    for (request, answer) in requests.iter().zip(answers) {
        if answer.status == 202 {
            assert_eq!(request.send_until_served().await.unwrap().expect(202).body, answer.body);
        } else {
            answer.expect_problem(503, "unavailable");
            request.send_until_served().await.unwrap().expect(202);
        }
    }
    settled(&stack, &merchant.tenant(), REQUESTS).await;
    assert_eq!(merchant.client.balance("USD").await, (0, 1184 * i64::try_from(REQUESTS).unwrap()));
}

#[tokio::test]
async fn consumers_in_conflict_post_a_payment_once() {
    let (stack, merchant) = start().await;
    let proxy = stack.store_proxy();
    proxy.set_conflicts(Duration::from_millis(15));
    let id = merchant.client.pay(1250, "USD", "tok_visa").await;
    let message = event::sqs(&[event::payment_message(&merchant.id, &id)]);
    let commit = Matching::operation("TransactWriteItems");
    let hold = proxy.hold(1, commit.clone());
    // The first commit is in flight until the other has met it.
    let meeting = async {
        eventually("two consumers commit", Deadline::SOON, async || {
            let commits = proxy.count(&commit);
            if commits < 2 { Err(format!("{commits} commits")) } else { Ok(()) }
        })
        .await;
        hold.forward();
    };
    let consumers = join_all((0..4).map(|_| stack.invoke("call-processor", &message)));
    let (answers, ()) = join(consumers, meeting).await;
    for answer in answers {
        assert_eq!(answer.unwrap(), json!({"batchItemFailures": []}));
    }
    assert!(proxy.take_met()["store write in conflict"] > 0);
    let books = Books::read(&stack.table(), &merchant.tenant()).await;
    assert_eq!(books.faults(), Vec::<String>::new());
    assert_eq!((books.charged(&id), books.entries.len(), books.events.len()), (1, 1, 1));
}
