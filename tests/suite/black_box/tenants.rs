//! Tenants do not see each other: another tenant's id gets the same answer as an unknown one.

use serde_json::json;
use spillway_tests::Target;

#[tokio::test]
async fn foreign_missing_and_malformed_ids_get_one_answer() {
    let target = Target::start().await;
    let (one, two) = (target.new_merchant().await, target.new_merchant().await);
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
        "%00",
        "pay_0000000000000000000000000%23",
        &upper,
    ];
    let mut answers = Vec::new();
    for id in paths {
        answers.push(two.client.get(&format!("/payments/{id}")).await.expect_anonymous_problem(404, "not_found"));
    }
    // A gateway may decode this path before routing.
    two.client.get("/payments/..%2f..%2fx").await.expect_anonymous_problem(404, "not_found");
    let live = target.new_key(&one.id, json!({"mode": "live"})).await;
    answers.push(live.get(&format!("/payments/{foreign}")).await.expect_anonymous_problem(404, "not_found"));
    assert!(answers.iter().all(|answer| answer == &answers[0]), "{answers:#?}");
    one.client.get(&format!("/payments/{foreign}")).await.expect(200);
}

#[tokio::test]
async fn two_merchants_may_use_the_same_idempotency_key() {
    let target = Target::start().await;
    let (one, two) = (target.new_merchant().await, target.new_merchant().await);
    let payment = json!({"amount": 1250, "currency": "USD", "token": "tok_visa"});
    let mut ids = Vec::new();
    for merchant in [&one, &two] {
        let answer = merchant.client.create_payment("order-1", &payment).await.expect(202);
        assert_eq!(answer.header("idempotent-replayed"), "");
        ids.push(answer.id().to_owned());
    }
    assert_ne!(ids[0], ids[1]);
    for (merchant, id) in [&one, &two].into_iter().zip(&ids) {
        merchant.client.finished(id).await;
        assert_eq!(merchant.client.balance("USD").await, (0, 1184));
    }
}

#[tokio::test]
async fn identity_comes_from_the_key_alone() {
    let target = Target::start().await;
    let (one, two) = (target.new_merchant().await, target.new_merchant().await);
    let payment = json!({"amount": 1250, "currency": "USD", "token": "tok_visa"});
    let mut request = two.client.payment_request("order-1", &payment);
    let headers = ["merchant", "x-merchant", "x-merchant-id", "x-spillway-merchant", "x-amzn-principalid", "x-api-key"];
    // One tested gateway requires a plan key in the last header.
    let count = headers.len() - usize::from(two.client.sends_plan_key());
    for header in &headers[..count] {
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
