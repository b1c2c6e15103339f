//! `cargo lambda` serves the functions for a stack or beside one, and invokes a stack's functions.

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;

use serde_json::{Value, json};
use spillway_tests::cargo_lambda::{self, Watch};
use spillway_tests::make::{self, MadeStack};
use spillway_tests::{Client, Options, Stack, unique};

/// The sample event of `create-payment` in a file, for the stack's sandbox merchant.
fn payment_event(stack: &Stack) -> PathBuf {
    let sample = fs::read_to_string(make::root().join("events/create-payment/card.json")).unwrap();
    let mut event: Value = serde_json::from_str(&sample).unwrap();
    event["requestContext"]["authorizer"]["merchant"] = json!(stack.developers_merchant());
    event["requestContext"]["authorizer"]["principalId"] = json!(stack.developers_merchant());
    event["multiValueHeaders"]["Idempotency-Key"] = json!([unique()]);
    let file = stack.data().join("event.json");
    fs::write(&file, event.to_string()).unwrap();
    file
}

/// The function has accepted a payment, and the stack finishes it.
async fn succeeds(stack: &Stack, answer: &Value) {
    assert_eq!(answer["statusCode"], 202, "{answer}");
    let accepted: Value = serde_json::from_str(answer["body"].as_str().unwrap()).unwrap();
    let client: Client = stack.client(stack.developers_key());
    let payment = client.finished(accepted["id"].as_str().unwrap()).await;
    assert_eq!(payment["status"], "succeeded", "{payment}");
}

#[tokio::test]
async fn make_watch_charges_and_make_stop_leaves_no_process() {
    let port = cargo_lambda::port().to_string();
    let stack = MadeStack::start("watch", vec![("WATCH_PORT", port)]).await;
    let client = stack.client();
    // Cargo starts each function at its first call. Start this one first, so that the GET of the payment does not wait
    // for it.
    client.get("/payments/pay_0").await.expect(404);
    client.paid(1250, "USD").await;
    let programs: BTreeSet<String> = stack.processes().into_iter().map(|process| process.program).collect();
    for program in ["cargo-lambda", "spillway-local", "create-payment", "call-processor"] {
        assert!(programs.contains(program), "{program} is not among {programs:?}");
    }
    stack.stop().await;
}

#[tokio::test]
async fn cargo_lambda_watch_serves_beside_a_running_stack() {
    let stack = Stack::start(Options::new()).await;
    let watch = Watch::start(stack.env_file(), &stack.data().join("watch.log")).await;
    let answer = watch.invoke("create-payment", &payment_event(&stack)).await;
    succeeds(&stack, &answer).await;
    let ours = stack.function_pids("create-payment");
    assert!(ours.is_empty(), "the stack's own create-payment took it: {ours:?}");
}

#[tokio::test]
async fn cargo_lambda_invoke_calls_a_running_stack() {
    let stack = Stack::start(Options::new()).await;
    let health = make::root().join("events/get-health/health.json");
    let answer = cargo_lambda::invoke("get-health", stack.port(), &health).await;
    assert_eq!(answer["statusCode"], 200, "{answer}");
    let answer = cargo_lambda::invoke("create-payment", stack.port(), &payment_event(&stack)).await;
    succeeds(&stack, &answer).await;
}
