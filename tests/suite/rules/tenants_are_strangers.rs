//! No tenant sees that another exists: a foreign id is answered exactly as a missing one.

use serde_json::{Value, json};
use spillway_tests::receiver::Receiver;
use spillway_tests::{Answer, Deadline, Options, Stack};

fn anonymous(answer: Answer) -> Value {
    let mut problem = answer.expect_problem(404, "not_found").body;
    problem["request_id"].take();
    problem["instance"].take();
    problem
}

#[tokio::test]
async fn a_foreign_a_missing_and_a_malformed_id_have_one_answer() {
    let stack = Stack::start(Options::new()).await;
    let (one, two) = (stack.new_merchant().await, stack.new_merchant().await);
    let payment = one.client.paid(1250, "USD").await;
    let foreign = payment["id"].as_str().unwrap();
    let upper = foreign.to_uppercase();
    let paths = [
        foreign,
        "pay_00000000000000000000000000",
        "pay_",
        "pay_x",
        "evt_00000000000000000000000000",
        "x",
        "..%2f..%2fx",
        "%00",
        "pay_0000000000000000000000000%23",
        &upper,
    ];
    let mut answers = Vec::new();
    for id in paths {
        answers.push(anonymous(two.client.get(&format!("/payments/{id}")).await));
    }
    let live = stack.new_key(&one.id, json!({"mode": "live"})).await;
    answers.push(anonymous(live.get(&format!("/payments/{foreign}")).await));
    assert!(answers.iter().all(|answer| answer == &answers[0]), "{answers:#?}");
    one.client.get(&format!("/payments/{foreign}")).await.expect(200);
}

#[tokio::test]
async fn balances_and_webhooks_are_the_tenants_own() {
    let stack = Stack::start(Options::new()).await;
    let (one, two) = (stack.new_merchant().await, stack.new_merchant().await);
    let (at_one, at_two) = (Receiver::start().await, Receiver::start().await);
    one.client.create_webhook_endpoint(at_one.url(), &["payment.*"]).await;
    two.client.create_webhook_endpoint(at_two.url(), &["payment.*"]).await;
    let first = one.client.paid(1250, "USD").await;
    let second = two.client.paid(2500, "USD").await;
    let told_one = at_one.attempts_at_least(1, Deadline::SOON).await;
    let told_two = at_two.attempts_at_least(1, Deadline::SOON).await;
    assert_eq!((told_one[0].json()["data"].clone(), told_two[0].json()["data"].clone()), (first, second));
    assert_eq!((told_one.len(), told_two.len()), (1, 1));
    assert_eq!(one.client.balance("USD").await, (0, 1184));
    // 2500 at 290 basis points is 72.5, half to even 72; and 30.
    assert_eq!(two.client.balance("USD").await, (0, 2398));
}

#[tokio::test]
async fn identity_comes_from_the_key_alone() {
    let stack = Stack::start(Options::new()).await;
    let (one, two) = (stack.new_merchant().await, stack.new_merchant().await);
    let payment = json!({"amount": 1250, "currency": "USD", "token": "tok_visa"});
    let mut request = two.client.payment_request("order-1", &payment);
    for header in ["merchant", "x-merchant", "x-merchant-id", "x-spillway-merchant", "x-amzn-principalid", "x-api-key"]
    {
        request = request.header(header, &one.id);
    }
    let id = request.send().await.expect(202).id().to_owned();
    two.client.get(&format!("/payments/{id}")).await.expect(200);
    one.client.get(&format!("/payments/{id}")).await.expect_problem(404, "not_found");
    for field in ["merchant", "mode", "id", "status", "fee"] {
        let mut body = payment.clone();
        body[field] = json!(one.id);
        let answer = two.client.create_payment("order-2", &body).await.expect_problem(422, "invalid_request");
        assert_eq!(answer.pointers(), [format!("/{field}")]);
    }
}
