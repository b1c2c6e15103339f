//! `GET /v1/balance`

use serde_json::json;
use spillway_tests::auditor::settled;
use spillway_tests::{Options, Stack};

#[tokio::test]
async fn without_a_settlement_delay_the_amount_is_available_at_once() {
    let stack = Stack::start(Options::new()).await;
    let merchant = stack.new_merchant_with(json!({"settlement_delay_days": 0})).await;
    merchant.client.paid(1250, "USD").await;
    assert_eq!(merchant.client.balance("USD").await, (1184, 0));
    let books = settled(&stack, &merchant.tenant(), 1).await;
    assert_eq!(books.recomputed()["USD"], (1184, 0));
}
