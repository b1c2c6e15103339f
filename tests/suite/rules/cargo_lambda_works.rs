//! Who works with `cargo lambda` can: it serves the functions for a stack, or beside one, and calls those of one.

use std::collections::BTreeSet;
use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use spillway_tests::cargo_lambda::{self, Watch};
use spillway_tests::make::{self, MadeStack};
use spillway_tests::{Client, Options, Stack, process, unique};

/// The sample event of `create-payment` in a file, changed to come from the stack's sandbox merchant.
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
async fn make_watch_takes_a_payment_to_its_end_and_make_stop_leaves_no_process() {
    let port = cargo_lambda::port().to_string();
    let stack = MadeStack::start("watch", vec![("WATCH_PORT", port)]).await;
    let client = stack.client();
    // Cargo starts each function at its first call. It should not be the look at the payment that waits for it.
    client.get("/payments/pay_0").await.expect(404);
    client.paid(1250, "USD").await;
    let programs: BTreeSet<String> = stack.processes().into_iter().map(|process| process.program).collect();
    for program in ["cargo-lambda", "spillway-local", "create-payment", "call-processor"] {
        assert!(programs.contains(program), "{program} is not among {programs:?}");
    }
    stack.stop().await;
}

#[tokio::test]
async fn cargo_lambda_watch_serves_a_function_beside_a_running_stack() {
    let stack = Stack::start(Options::new()).await;
    let watch = Watch::start(stack.env_file(), &stack.data().join("watch.log")).await;
    let answer = watch.invoke("create-payment", &payment_event(&stack)).await;
    succeeds(&stack, &answer).await;
    let ours = stack.function_pids("create-payment");
    assert!(ours.is_empty(), "the stack's own create-payment took it: {ours:?}");
}

#[tokio::test]
async fn cargo_lambda_invoke_calls_the_functions_of_a_running_stack() {
    let stack = Stack::start(Options::new()).await;
    let health = make::root().join("events/get-health/health.json");
    let answer = cargo_lambda::invoke("get-health", stack.port(), &health).await;
    assert_eq!(answer["statusCode"], 200, "{answer}");
    let answer = cargo_lambda::invoke("create-payment", stack.port(), &payment_event(&stack)).await;
    succeeds(&stack, &answer).await;
}

#[tokio::test]
async fn cargo_lambda_invoke_shows_why_the_runner_refuses_a_call() {
    let stack = Stack::start(Options::new()).await;
    // It breaks its lines as it likes.
    let told = async |name: &str, file: &Path| {
        let output = cargo_lambda::try_invoke(name, stack.port(), file).await;
        assert!(!output.succeeded, "{output:#?}");
        output.told.replace(|letter: char| letter.is_whitespace() || letter == '│', "")
    };
    let unknown = told("get-helth", &make::root().join("events/get-health/health.json")).await;
    let functions = "authenticate,call-processor,create-merchant,";
    let sentence = format!("ResourceNotFoundException×Functionnotfound:get-helth.Thereare:{functions}");
    assert!(unknown.contains(&sentence) && unknown.contains(",update-merchant,update-webhook-endpoint"), "{unknown}");
    let broken = stack.data().join("broken.json");
    fs::write(&broken, "{").unwrap();
    let refused = told("get-health", &broken).await;
    let sentence = "InvalidRequestContentException×Couldnotparserequestbodyintojson:EOFwhileparsing";
    assert!(refused.contains(sentence), "{refused}");
}

#[tokio::test]
async fn make_watch_on_a_taken_port_is_one_clear_sentence() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port();
    let data = std::env::temp_dir().join(format!("spillway-{}", unique()));
    let mut make = make::command("make");
    make.args(["watch", "DETACH=1", "PORT=0", &format!("WATCH_PORT={port}"), &format!("DATA={}", data.display())]);
    let output = make::output(make).await;
    let told = output.told.lines().find(|line| line.contains(&port.to_string()));
    assert!(!output.succeeded && told.is_some_and(|told| told.contains("WATCH_PORT=")), "{output:#?}");
    let left = process::with_variable("DATA", &data.display().to_string());
    assert!(left.is_empty(), "{left:?}");
    fs::remove_dir_all(&data).unwrap();
}
