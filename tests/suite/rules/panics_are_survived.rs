//! A panic answers 500 with the request's id, is logged with its place, tells nobody its message, and ends nothing.

use spillway_tests::event::{balance_message, sqs};
use spillway_tests::{Client, Deadline, Options, Stack, Template, eventually};

/// What both panic with.
const MESSAGE: &str = "Jane Roe";

/// A stack with another program in a function's stead.
async fn stack_with(program: &str, instead_of: &str) -> Stack {
    let folder = format!("../functions/{program}");
    let template = Template::read().with(&["Resources", instead_of, "Properties", "CodeUri"], folder);
    Stack::start(Options::new().unkilled().examples().template(template)).await
}

/// The environment that answers, and how often it was asked.
async fn asked(client: &Client) -> (String, u64) {
    let told = client.get("/payments/calm").await.expect(200).body;
    (told["environment"].as_str().unwrap().to_owned(), told["served"].as_u64().unwrap())
}

/// The log tells of a panic of this program in this file, and neither its message nor a process's end.
async fn told(stack: &Stack, program: &str, file: &str) {
    let place = format!("panic  place={file}:");
    eventually("the panic is logged with its place", Deadline::SOON, async || {
        let log = stack.log();
        if log.lines().any(|line| line.contains(program) && line.contains(&place)) { Ok(()) } else { Err(log) }
    })
    .await;
    let log = stack.log();
    assert!(!log.contains(MESSAGE), "{log}");
    assert!(!log.contains("the process ended"), "{log}");
}

#[tokio::test]
async fn a_panicking_request_gets_a_500_and_its_environment_serves_on() {
    let stack = stack_with("panicking-function", "GetPayment").await;
    let client = stack.new_merchant().await.client;
    // A second environment may be started for a request that meets the first before that is free again: then once more.
    eventually("the environment that panicked answers", Deadline::SOON, async || {
        let (environment, before) = asked(&client).await;
        let answer = client.get("/payments/panic").await.expect_problem(500, "internal_error");
        assert!(!answer.text.contains(MESSAGE) && !answer.text.contains("panic"), "{}", answer.text);
        let (same, after) = asked(&client).await;
        // Itself, and the panic between.
        let served_on = same == environment && after == before + 2;
        if served_on { Ok(()) } else { Err(format!("{environment} {before}, then {same} {after}")) }
    })
    .await;
    told(&stack, "panicking-function", "tests/panicking-function/src/main.rs").await;
    let log = stack.log();
    let line = log.lines().find(|line| line.contains(" 500 internal_error") && line.contains("GET /v1/payments/"));
    assert!(line.is_some(), "{log}");
}

#[tokio::test]
async fn a_panicking_message_fails_alone_and_the_process_serves_on() {
    let stack = stack_with("panics-at-messages", "FoldBalance").await;
    let merchant = stack.developers_merchant();
    let failed = async |currencies: &[&str]| {
        let messages: Vec<_> = currencies.iter().map(|currency| balance_message(merchant, currency)).collect();
        let answer = stack.invoke("panics-at-messages", &sqs(&messages)).await.unwrap();
        let failures = answer["batchItemFailures"].as_array().unwrap().clone();
        failures.iter().map(|failure| failure["itemIdentifier"].as_str().unwrap().to_owned()).collect::<Vec<String>>()
    };
    assert_eq!(failed(&["USD"]).await, [""; 0]);
    let before = stack.function_pids("panics-at-messages");
    assert_eq!(failed(&["USD", "JPY", "EUR"]).await, ["m1"]);
    // A panic that is no single message's fails them all.
    assert_eq!(failed(&["USD", "KWD"]).await, ["m0", "m1"]);
    assert_eq!(failed(&["USD", "EUR"]).await, [""; 0]);
    let after = stack.function_pids("panics-at-messages");
    assert!(before.len() == 1 && after.contains(&before[0]), "{before:?}, then {after:?}");
    told(&stack, "panics-at-messages", "shared/platform/examples/panics-at-messages.rs").await;
}
