//! One idempotency key makes one payment, however often and however concurrently it is sent.

use futures::future::join_all;
use serde_json::json;
use spillway_tests::client::expect_one_result;
use spillway_tests::oracle::{Books, settled};
use spillway_tests::{Options, Stack};

const CONCURRENT: usize = 100;

#[tokio::test]
async fn a_hundred_concurrent_equal_requests_create_one_payment() {
    let stack = Stack::start(Options::new()).await;
    let merchant = stack.new_merchant().await;
    let request =
        merchant.client.payment_request("order-1", &json!({"amount": 1250, "currency": "USD", "token": "tok_visa"}));
    let answers = request.send_at_once(CONCURRENT).await;
    expect_one_result(&answers);
    let original = answers[0].body.clone();
    settled(&stack, &merchant.tenant(), 1).await;

    // The original answer, although the payment has changed; also with the fields in another order.
    let again = merchant
        .client
        .payment_request("order-1", &json!({}))
        .body(r#"{ "token":"tok_visa", "currency":"USD","amount":1250 }"#);
    let again = again.send().await.expect(202);
    assert_eq!((again.body.clone(), again.header("idempotent-replayed")), (original, "true"));
    settled(&stack, &merchant.tenant(), 1).await;
}

#[tokio::test]
async fn of_a_hundred_concurrent_bodies_one_is_accepted() {
    let stack = Stack::start(Options::new()).await;
    let merchant = stack.new_merchant().await;
    let payment = |number: usize| json!({"amount": 1000 + number, "currency": "USD", "token": "tok_visa"});
    let requests: Vec<_> =
        (0..CONCURRENT).map(|number| merchant.client.payment_request("order-1", &payment(number))).collect();
    let answers = join_all(requests.iter().map(|request| request.send())).await;
    let (accepted, refused): (Vec<_>, Vec<_>) = answers.into_iter().partition(|answer| answer.status == 202);
    assert_eq!((accepted.len(), refused.len()), (1, CONCURRENT - 1));
    for answer in refused {
        answer.expect_problem(422, "idempotency_key_reused");
    }
    let books = settled(&stack, &merchant.tenant(), 1).await;
    assert_eq!(books.payments[accepted[0].id()]["asked"]["amount"], accepted[0].body["amount"]);
}

#[tokio::test]
async fn test_and_live_mode_may_use_the_same_key() {
    let stack = Stack::start(Options::new()).await;
    let merchant = stack.new_merchant().await;
    let live = stack.new_key(&merchant.id, json!({"mode": "live"})).await;
    let payment = json!({"amount": 1250, "currency": "USD", "token": "tok_visa"});
    let id = merchant.client.create_payment("order-1", &payment).await.expect(202).id().to_owned();
    live.create_payment("order-1", &payment).await.expect_problem(409, "processor_not_configured");
    live.get(&format!("/payments/{id}")).await.expect_problem(404, "not_found");
    settled(&stack, &merchant.tenant(), 1).await;
    assert!(Books::read(&stack.table(), &format!("{}#live", merchant.id)).await.payments.is_empty());
    assert_eq!(live.balance("USD").await, (0, 0));
}
