//! `GET /v1/balance`

use serde_json::json;
use spillway_tests::auditor::settled;
use spillway_tests::{Options, Stack};

#[tokio::test]
async fn a_balance_is_never_cached_and_lists_every_currency_of_the_merchant() {
    let stack = Stack::start(Options::new()).await;
    let merchant = stack.new_merchant().await;
    merchant.client.paid(1250, "USD").await;
    merchant.client.paid(1250, "JPY").await;
    let answer = merchant.client.get("/balance").await.expect(200);
    assert_eq!(answer.header("cache-control"), "no-store");
    assert_eq!((&answer.body["object"], &answer.body["mode"]), (&json!("balance"), &json!("test")));
    assert!(answer.body["as_of"].as_str().unwrap().ends_with('Z'));
    for currency in ["USD", "JPY"] {
        let line = json!({"currency": currency, "available": 0, "pending": 1184});
        assert!(answer.body["balances"].as_array().unwrap().contains(&line), "{}", answer.text);
    }
}

#[tokio::test]
async fn without_a_settlement_delay_the_amount_is_available_at_once() {
    let stack = Stack::start(Options::new()).await;
    let merchant = stack.new_merchant_with(json!({"settlement_delay_days": 0})).await;
    merchant.client.paid(1250, "USD").await;
    assert_eq!(merchant.client.balance("USD").await, (1184, 0));
    let books = settled(&stack, &merchant.tenant(), 1).await;
    assert_eq!(books.recomputed()["USD"], (1184, 0));
}
