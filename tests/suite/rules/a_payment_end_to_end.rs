//! The whole path: request, charge, balanced entry, balance, signed webhook.

use serde_json::json;
use spillway_tests::oracle::settled;
use spillway_tests::receiver::Receiver;
use spillway_tests::{Deadline, Options, Stack};

#[tokio::test]
async fn a_payment_is_charged_posted_and_delivered() {
    let stack = Stack::start(Options::new()).await;
    let merchant = stack.new_merchant().await;
    let receiver = Receiver::start().await;
    let endpoint = merchant.client.create_webhook_endpoint(receiver.url(), &["payment.*"]).await;

    let payment = merchant.client.paid(1250, "USD").await;
    // 1250 at 290 basis points is 36.25, half to even 36; and 30 fixed.
    assert_eq!((&payment["amount_captured"], &payment["fee"]), (&json!(1250), &json!(66)), "{payment}");
    let books = settled(&stack, &merchant.tenant(), 1).await;
    let entry = &books.entries[0];
    let posting = |account, side, amount| json!({"account": account, "side": side, "amount": amount});
    let postings = entry["postings"].as_array().unwrap();
    assert_eq!(postings.len(), 3);
    assert!(postings.contains(&posting("processor_receivable", "debit", 1250)), "{postings:?}");
    assert!(postings.contains(&posting("merchant", "credit", 1184)), "{postings:?}");
    assert!(postings.contains(&posting("fee_income", "credit", 66)), "{postings:?}");
    assert_eq!(merchant.client.balance("USD").await, (0, 1184));

    let attempts = receiver.attempts_at_least(1, Deadline::SOON).await;
    attempts[0].verify(endpoint["secret"].as_str().unwrap()).unwrap();
    assert_eq!(attempts[0].json()["data"], payment);
}
