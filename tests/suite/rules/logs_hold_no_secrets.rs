//! Logs have no secrets, tokens or personal data, at any level.

use serde_json::{Value, json};
use spillway_tests::oracle::settled;
use spillway_tests::receiver::{Receiver, Reply};
use spillway_tests::{Deadline, Options, Stack, eventually, unique};

/// Waits for deliver-webhook's line about the last, accepted delivery.
async fn delivered(stack: &Stack) {
    eventually("deliver-webhook has written its lines", Deadline::SOON, async || {
        stack.run_due().await;
        let printed = stack.printed("deliver-webhook").concat();
        let invocations = printed.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        let invocations = invocations.filter(|line| line["message"] == "invocation").count();
        if invocations >= 2 { Ok(()) } else { Err(printed) }
    })
    .await;
}

#[tokio::test]
async fn trace_logs_hold_no_secret_or_personal_data() {
    let options = Options::new().keep_lines().knob("LOG_LEVEL", "trace").knob("WEBHOOK_WAITS_SECONDS", "1,1");
    let stack = Stack::start(options.knob("FIRST_DUE_SECONDS", 1).knob("CLAIM_SECONDS", 1)).await;
    let merchant = stack.new_merchant().await;
    let receiver = Receiver::scripted([Reply::Status(500)]).await;
    let url = format!("{}?secret=querysecret77", receiver.url());
    let endpoint = merchant.client.create_webhook_endpoint(&url, &["payment.*"]).await;
    // Not the token of the runner's own examples.
    let payment = json!({"amount": 1250, "currency": "USD", "token": "tok_mastercard",
        "description": "Jane Roe's dress", "reference": "reference-4711", "customer": "jane.roe@example.com",
        "metadata": {"phone-of": "+49 171 000"}});
    let key = unique();
    let id = merchant.client.create_payment(&key, &payment).await.expect(202).id().to_owned();
    // Refusals must not reveal them either.
    let mut wrong = payment.clone();
    wrong["amount"] = json!(-5);
    wrong["token"] = json!("tok_unheard_of");
    merchant.client.create_payment(&key, &wrong).await.expect_problem(422, "invalid_request");
    wrong["jane.roe@example.com"] = json!(1);
    wrong["metadata"]["phone-of"] = json!(1);
    merchant.client.create_payment(&key, &wrong).await.expect_problem(422, "invalid_request");
    wrong["token"] = json!("5555555555554444");
    merchant.client.create_payment(&key, &wrong).await.expect_problem(422, "invalid_request");
    merchant.client.get("/payments?jane.roe=1").await.expect_problem(400, "unknown_parameter");
    merchant.client.get("/payments?reference=reference-4711&customer=jane.roe@example.com").await.expect(200);
    merchant.client.get("/payments/jane.roe").await.expect_problem(404, "not_found");
    let mut named = json!({"reference": "Jane Roe", "name": "Jane Roe's shop", "plan": "standard",
        "currencies": {"USD": {"fee_basis_points": 290, "fee_fixed": 30}}});
    stack.invoke("create-merchant", &named).await.unwrap();
    named["name"] = json!("Jane Roe's other shop");
    stack.invoke("create-merchant", &named).await.unwrap_err();
    let foreign = format!("{}x", merchant.client.secret());
    stack.client(&foreign).get("/balance").await.expect(401);
    settled(&stack, &merchant.tenant(), 1).await;
    receiver.attempts_at_least(2, Deadline::SOON).await;
    delivered(&stack).await;

    // The functions' output, and the runner's version of it.
    let log = stack.all_printed() + &stack.log();
    for told in [&merchant.id, &id] {
        assert!(log.contains(told), "{told} should be in the log:\n{log}");
    }
    let webhook_secret = endpoint["secret"].as_str().unwrap();
    let authority = receiver.url().trim_start_matches("http://").trim_end_matches("/hook");
    let secrets = [
        key.as_str(),
        merchant.client.secret(),
        &foreign,
        webhook_secret,
        webhook_secret.trim_start_matches("whsec_"),
        authority,
        "querysecret77",
        "tok_mastercard",
        "tok_unheard_of",
        "5555555555554444",
        "last4",
        "\"4444",
        "Jane Roe",
        "reference-4711",
        "jane.roe",
        "+49 171 000",
        "phone-of",
    ];
    for secret in secrets {
        let line = log.lines().find(|line| line.contains(secret));
        assert!(line.is_none(), "{secret:?} is in the log: {line:?}");
    }
}
