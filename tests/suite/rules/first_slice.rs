//! The whole way: a request, a charge, a balanced entry, a balance, a signed webhook.

use serde_json::json;
use spillway_tests::oracle::settled;
use spillway_tests::receiver::Receiver;
use spillway_tests::{Client, Deadline, Options, Stack, unique};

#[tokio::test]
async fn a_payment_is_charged_posted_counted_and_delivered() {
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

#[tokio::test]
async fn the_developer_can_begin_with_what_the_runner_prints() {
    let stack = Stack::start(Options::new()).await;
    let client: Client = stack.client(stack.developers_key());
    for currency in ["USD", "EUR", "JPY", "KWD"] {
        let payment = client.paid(1250, currency).await;
        assert_eq!((&payment["fee"], &payment["status"]), (&json!(66), &json!("succeeded")));
    }
    let tenant = format!("{}#test", stack.developers_merchant());
    settled(&stack, &tenant, 4).await;
    assert_eq!(client.balance("KWD").await, (0, 1184));
    let log = stack.log();
    for printed in [stack.base_url(), stack.developers_key(), "curl"] {
        assert!(log.contains(printed), "{printed} is not in:\n{log}");
    }
}

#[tokio::test]
async fn ctrl_c_and_sigterm_leave_no_process_behind() {
    for signal in ["INT", "TERM"] {
        let mut stack = Stack::start(Options::new()).await;
        let merchant = stack.new_merchant().await;
        merchant.client.create_payment(&unique(), &json!({"amount": 1, "currency": "USD", "token": "tok_visa"})).await;
        assert_eq!(stack.end_by(signal).await, Some(0), "{signal}");
        assert!(!stack.data().join("dev.json").exists(), "{signal}");
    }
}
