//! The outcome of each sandbox token, also if the processor's answer is lost, late or missing.

use serde_json::{Value, json};
use spillway_tests::Target;
use spillway_tests::pages::walk;

#[tokio::test]
async fn each_token_has_its_outcome_and_counts_once() {
    let target = Target::start().await;
    let client = target.new_merchant().await.client;
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
        ids.push(client.pay(1250, "USD", token).await);
    }
    let (good, bad) = ids.split_at(approved.len());
    for ((token, brand), id) in approved.iter().zip(good) {
        let payment = client.finished(id).await;
        assert_eq!((&payment["status"], &payment["version"]), (&json!("succeeded"), &json!(2)), "{token}: {payment}");
        let method = &payment["payment_method"];
        assert_eq!((&method["type"], &method["brand"]), (&json!("card"), &json!(brand)), "{token}");
        assert_eq!(method["last4"].as_str().unwrap().len(), 4, "{token}");
        assert_eq!(payment["failure"], Value::Null, "{token}");
    }
    for ((token, code), id) in declined.iter().zip(bad) {
        let payment = client.finished(id).await;
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
    assert_eq!(client.balance("USD").await, (0, 1184 * i64::try_from(good.len()).unwrap()));
    let transactions = walk(&client, "/balance/transactions", 5, "").await;
    let mut sources: Vec<_> = transactions.iter().flatten().map(|item| item["source"].as_str().unwrap()).collect();
    sources.sort_unstable();
    let mut charged: Vec<_> = good.iter().map(String::as_str).collect();
    charged.sort_unstable();
    assert_eq!(sources, charged);
}
