//! `GET /v1/payments`

use serde_json::json;
use spillway_tests::pages::{data, ids};
use spillway_tests::{Options, Stack, Template};

#[tokio::test]
async fn reading_needs_no_permission_to_start_work() {
    let stack = Stack::start(Options::new().knob("CACHE_SECONDS", 0).template(Template::still())).await;
    let merchant = stack.new_merchant().await;
    let id = merchant.client.pay(1250, "USD", "tok_visa").await;
    let payments = stack.new_key(&merchant.id, json!({"scopes": ["payments:read"]})).await;
    let balance = stack.new_key(&merchant.id, json!({"scopes": ["balance:read"]})).await;
    stack.invoke("update-merchant", &json!({"merchant": merchant.id, "suspended": true})).await.unwrap();
    let payment = json!({"amount": 1, "currency": "USD", "token": "tok_visa"});
    merchant.client.create_payment("k", &payment).await.expect_problem(403, "merchant_suspended");
    assert_eq!(ids(data(&payments.get("/payments").await.expect(200))), [id]);
    balance.get("/balance/transactions").await.expect(200);
}
