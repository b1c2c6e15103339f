//! `call-processor` with the sandbox: what each token leads to.

use serde_json::{Value, json};
use spillway_tests::auditor::{Books, settled};
use spillway_tests::{Options, Stack};

#[tokio::test]
async fn each_token_leads_to_its_outcome() {
    let stack = Stack::start(Options::new().knob("PROCESSOR_WAITS_SECONDS", "1").knob("FIRST_DUE_SECONDS", 5)).await;
    let merchant = stack.new_merchant().await;
    let approved = [
        ("tok_visa", "visa"),
        ("tok_mastercard", "mastercard"),
        ("tok_slow", "visa"),
        ("tok_refund_fails", "visa"),
        ("tok_dispute_won", "visa"),
        ("tok_dispute_lost", "visa"),
        ("tok_timeout_then_ok", "visa"),
        ("tok_timeout_unknown", "visa"),
        ("tok_unavailable", "visa"),
    ];
    let declined = [
        ("tok_declined", "card_declined"),
        ("tok_insufficient_funds", "insufficient_funds"),
        ("tok_expired_card", "expired_card"),
    ];
    let mut ids = Vec::new();
    for token in approved.iter().chain(&declined).map(|(token, _)| token) {
        ids.push(merchant.client.pay(1250, "USD", token).await);
    }
    let (good, bad) = ids.split_at(approved.len());
    for ((token, brand), id) in approved.iter().zip(good) {
        let payment = merchant.client.finished(id).await;
        assert_eq!(payment["status"], "succeeded", "{token}: {payment}");
        let method = &payment["payment_method"];
        assert_eq!((&method["type"], &method["brand"]), (&json!("card"), &json!(brand)), "{token}");
        assert_eq!(method["last4"].as_str().unwrap().len(), 4, "{token}");
        assert_eq!(payment["failure"], Value::Null, "{token}");
    }
    for ((token, code), id) in declined.iter().zip(bad) {
        let payment = merchant.client.finished(id).await;
        assert_eq!(
            (&payment["status"], &payment["failure"]["code"]),
            (&json!("failed"), &json!(code)),
            "{token}: {payment}"
        );
        assert!(payment["failure"]["message"].as_str().is_some_and(|message| !message.is_empty()), "{token}");
        assert_eq!(
            (&payment["amount_captured"], &payment["fee"], &payment["version"]),
            (&json!(0), &Value::Null, &json!(2))
        );
    }
    let books: Books = settled(&stack, &merchant.tenant(), ids.len()).await;
    assert_eq!(merchant.client.balance("USD").await, books.recomputed()["USD"]);
    assert_eq!(merchant.client.balance("USD").await, (0, 1184 * i64::try_from(good.len()).unwrap()));
}
