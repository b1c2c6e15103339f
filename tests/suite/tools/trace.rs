//! `make trace ID=pay_…` shows the history of a payment.

use std::path::Path;

use serde_json::json;
use spillway_tests::make;
use spillway_tests::oracle::{Books, settled};
use spillway_tests::receiver::Receiver;
use spillway_tests::{Deadline, Options, Stack, eventually};

/// Standard output of the program behind `make trace`.
async fn trace(data: &Path, id: &str) -> String {
    let mut command = make::command(env!("CARGO_BIN_EXE_trace"));
    command.env("DATA", data).arg(id);
    let output = make::output(command).await;
    assert!(output.succeeded && output.stderr.is_empty(), "{output:#?}");
    output.stdout
}

#[tokio::test]
async fn make_trace_shows_each_step_in_order() {
    let stack = Stack::start(Options::new()).await;
    let merchant = stack.new_merchant().await;
    let receiver = Receiver::start().await;
    merchant.client.create_webhook_endpoint(receiver.url(), &["payment.*"]).await;
    let payment = json!({"amount": 1250, "currency": "USD", "token": "tok_visa"});
    let accepted = merchant.client.create_payment("order-1001", &payment).await.expect(202);
    let id = accepted.id();
    // Steps of other payments are not shown.
    let other = merchant.client.paid(1250, "USD").await;
    settled(&stack, &merchant.tenant(), 2).await;
    eventually("the deliveries are noted", Deadline::SOON, async || {
        let deliveries = Books::read(&stack.table(), &merchant.tenant()).await.deliveries;
        let done = deliveries.iter().filter(|delivery| delivery["status"] == "succeeded").count();
        if done == 2 { Ok(()) } else { Err(format!("{deliveries:?}")) }
    })
    .await;

    let shown = trace(stack.data(), id).await;
    let place = |step: &str| shown.find(step).unwrap_or_else(|| panic!("no {step:?} in:\n{shown}"));
    let request = format!("accepted   1250 USD, request {}", accepted.header("request-id"));
    let steps = [request.as_str(), "processor  ", "entry      txn_", "event      evt_", "delivery   to we_"];
    let places: Vec<usize> = steps.into_iter().map(place).collect();
    assert!(places.is_sorted(), "{shown}");
    assert!(shown.lines().any(|line| line.ends_with(": succeeded after 1 attempt, last answer 200")), "{shown}");
    let times: Vec<&str> =
        shown.lines().filter_map(|line| line.get(..24)).filter(|time| !time.trim().is_empty()).collect();
    assert!(times.is_sorted() && times.iter().all(|time| time.ends_with('Z')), "{shown}");
    assert!(!shown.contains(other["id"].as_str().unwrap()), "{shown}");
    assert_eq!(shown.matches("accepted").count() + shown.matches("event  ").count(), 2, "{shown}");
}
