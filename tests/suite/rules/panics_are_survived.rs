//! A panic answers 500 with the request's id, is logged with its place, tells nobody its message, and ends nothing.

use futures::future::join;
use spillway_tests::event::{balance_message, sqs};
use spillway_tests::{Client, Deadline, Options, Stack, Template, eventually};

/// What the examples panic with.
const MESSAGE: &str = "4242";

/// A stack with an example of shared/platform in a function's stead.
async fn stack_with(example: &str, instead_of: &str) -> Stack {
    let folder = format!("../functions/{example}");
    let template = Template::read().with(&["Resources", instead_of, "Properties", "CodeUri"], &folder);
    Stack::start(Options::new().unkilled().examples().template(template)).await
}

/// The process that answers.
async fn process(client: &Client) -> u64 {
    client.get("/payments/calm").await.expect(200).body["pid"].as_u64().unwrap()
}

/// The log tells of a panic in this example, and neither its message nor a process's end.
async fn told(stack: &Stack, example: &str) {
    let place = format!("panic  place=shared/platform/examples/{example}.rs:");
    eventually("the panic is logged with its place", Deadline::SOON, async || {
        let log = stack.log();
        if log.lines().any(|line| line.contains(example) && line.contains(&place)) { Ok(()) } else { Err(log) }
    })
    .await;
    let log = stack.log();
    assert!(!log.contains(MESSAGE), "{log}");
    assert!(!log.contains("the process ended"), "{log}");
}

#[tokio::test]
async fn a_panicking_request_gets_a_500_and_the_process_serves_on() {
    let stack = stack_with("panics", "GetPayment").await;
    let client = stack.new_merchant().await.client;
    let before = process(&client).await;
    for _ in 0..3 {
        let answer = client.get("/payments/panic").await.expect_problem(500, "internal_error");
        assert!(!answer.text.contains(MESSAGE) && !answer.text.contains("panic"), "{}", answer.text);
    }
    // Two at once: a second process may have been started for a request that met the first before it was free again.
    eventually("the process that panicked answers", Deadline::SOON, async || {
        let answered = join(process(&client), process(&client)).await;
        if [answered.0, answered.1].contains(&before) { Ok(()) } else { Err(format!("{answered:?}, not {before}")) }
    })
    .await;
    told(&stack, "panics").await;
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
    told(&stack, "panics-at-messages").await;
}
