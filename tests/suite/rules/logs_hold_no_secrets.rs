//! Logs hold no secrets, no tokens and nothing about a person, at any level.

use serde_json::json;
use spillway_tests::auditor::settled;
use spillway_tests::receiver::{Receiver, Reply};
use spillway_tests::{Deadline, Options, Stack, unique};

#[tokio::test]
async fn nothing_secret_or_personal_is_in_the_log_even_at_trace() {
    let stack = Stack::start(Options::new().knob("LOG_LEVEL", "trace").knob("WEBHOOK_WAITS_SECONDS", "1,1")).await;
    let merchant = stack.new_merchant().await;
    let receiver = Receiver::scripted([Reply::Status(500)]).await;
    let url = format!("{}?secret=querysecret77", receiver.url());
    let endpoint = merchant.client.create_webhook_endpoint(&url, &["payment.*"]).await;
    let payment = json!({"amount": 1250, "currency": "USD", "token": "tok_visa", "description": "Jane Roe's dress",
        "reference": "reference-4711", "customer": "jane.roe@example.com", "metadata": {"phone-of": "+49 171 000"}});
    let key = unique();
    let id = merchant.client.create_payment(&key, &payment).await.expect(202).id().to_owned();
    // Refusals must not tell either.
    let mut wrong = payment.clone();
    wrong["amount"] = json!(-5);
    wrong["token"] = json!("tok_unheard_of");
    merchant.client.create_payment(&key, &wrong).await.expect_problem(422, "invalid_request");
    let foreign = format!("{}x", merchant.client.secret());
    stack.client(&foreign).get("/balance").await.expect(401);
    settled(&stack, &merchant.tenant(), 1).await;
    receiver.attempts_at_least(1, Deadline::SOON).await;

    let log = stack.log();
    let secrets = [
        merchant.client.secret(),
        &foreign,
        endpoint["secret"].as_str().unwrap(),
        endpoint["secret"].as_str().unwrap().trim_start_matches("whsec_"),
        "querysecret77",
        "tok_visa",
        "tok_unheard_of",
        "Jane Roe",
        "reference-4711",
        "jane.roe",
        "+49 171 000",
        "phone-of",
    ];
    // The lines for people after start quote curl examples, which name a token.
    let of_this_test = log.split(&merchant.id).skip(1).collect::<Vec<&str>>().join(" ");
    for secret in secrets {
        let text = if secret == "tok_visa" { &of_this_test } else { &log };
        let line = text.lines().find(|line| line.contains(secret));
        assert!(line.is_none(), "{secret:?} is in the log: {line:?}");
    }
    assert!(
        log.contains(&id) || log.contains("create-payment") || log.contains("/v1/payments"),
        "the log tells of the request:\n{log}"
    );
}
