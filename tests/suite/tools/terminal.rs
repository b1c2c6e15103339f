//! The runner's terminal shows the outcome of each payment, delivery and request in words.

use serde_json::json;
use spillway_tests::receiver::{Receiver, Reply};
use spillway_tests::{Deadline, Options, Stack, eventually, unique};

#[tokio::test]
async fn outcomes_are_readable_on_the_terminal() {
    let stack = Stack::start(Options::new().unkilled().knob("PROCESSOR_WAITS_SECONDS", "1")).await;
    let client = stack.new_merchant().await.client;
    let failing = Receiver::scripted([Reply::Status(500)]).await;
    client.create_webhook_endpoint(failing.url(), &["payment.failed"]).await;
    let declined = client.pay(1250, "USD", "tok_declined").await;
    let unanswered = client.pay(1250, "USD", "tok_timeout_unknown").await;
    client.create_payment(&unique(), &json!({"amount": 1250, "currency": "usd", "token": "tok_visa"})).await;
    let missing = "pay_00000000000000000000000000";
    client.get(&format!("/payments/{missing}")).await.expect(404);
    client.get("/nothing").await.expect(404);
    let expected: [&[&str]; 6] = [
        &["call-processor", " ms  declined card_declined  ", &declined],
        &["call-processor", " ms  outcome unknown, again in 1 s  ", &unanswered],
        &["deliver-webhook", " ms  500, attempt 1, again in ", &declined],
        &["create-payment", " ms  422 invalid_request /currency  ", "POST /v1/payments"],
        &["get-payment", " ms  404 not_found  ", missing],
        &["gateway", "  404  ", "GET /v1/nothing  there is no such path"],
    ];
    let log = eventually("the terminal shows it", Deadline::SOON, async || {
        let log = stack.log();
        let shown = |all: &&&[&str]| log.lines().any(|line| all.iter().all(|part| line.contains(part)));
        match expected.iter().find(|all| !shown(all)) {
            Some(missing) => Err(format!("{missing:?} in:\n{log}")),
            None => Ok(log),
        }
    })
    .await;
    // A file is not a terminal.
    assert!(!log.contains('\u{1b}'), "{log}");
}
