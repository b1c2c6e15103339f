//! The runner starts on what its folder holds, describes itself in `dev.json`, and refuses what would cost money or data.

use std::collections::BTreeSet;
use std::fs;
use std::net::TcpListener;
use std::path::PathBuf;

use serde_json::json;
use spillway_tests::oracle::settled;
use spillway_tests::refusal::refusal;
use spillway_tests::{Options, Stack, unique};

/// A path that does not exist yet.
fn new_folder() -> PathBuf {
    std::env::temp_dir().join(format!("spillway-{}", unique()))
}

#[tokio::test]
async fn a_taken_port_is_named_in_one_sentence() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let data = new_folder();
    for name in ["PORT", "SQS_PORT", "DYNAMODB_PORT"] {
        let refusal = refusal(&data, &[(name, &port)]).await;
        assert!(refusal.contains(&port), "{name}: {refusal}");
    }
    fs::remove_dir_all(&data).unwrap();
}

/// Tests use seconds. On a stack with money a charge would be given up, or counted too late.
#[tokio::test]
async fn waits_too_short_for_money_are_refused() {
    let data = new_folder();
    for (name, value) in
        [("SHARDS_AHEAD_SECONDS", "59"), ("ABSENT_AGAIN_SECONDS", "299"), ("LAST_LOOK_SECONDS", "3599")]
    {
        let message = refusal(&data, &[(name, value)]).await;
        assert!(message.ends_with(&format!("{name} is {value}, which is out of range")), "{message}");
    }
    let _ = fs::remove_dir_all(&data);
}

#[tokio::test]
async fn a_second_runner_on_the_same_data_is_refused() {
    let stack = Stack::start(Options::new()).await;
    let message = refusal(stack.data(), &[]).await;
    assert!(message.contains(&stack.data().display().to_string()) && message.contains("DATA="), "{message}");
    stack.new_merchant().await.client.paid(1250, "USD").await;
    assert!(stack.data().join("dev.json").exists());
}

#[tokio::test]
async fn a_failed_setup_ends_the_runner_with_its_reason() {
    let elsewhere = vec![("TABLE_NAME", "elsewhere".to_owned())];
    let started = Stack::try_start(Options::new().function_variables("create-merchant", elsewhere)).await;
    let log = started.err().expect("the runner ends");
    let last = log.lines().last().unwrap_or_default();
    assert!(last.starts_with("spillway-local: the setup failed: create-merchant failed: "), "{log}");
}

#[tokio::test]
async fn fresh_starts_with_an_empty_table() {
    let mut stack = Stack::start(Options::new()).await;
    let key = stack.developers_key().to_owned();
    let merchant = stack.new_merchant().await;
    let payment = merchant.client.paid(1250, "USD").await;
    stack.kill().await;
    stack.restart().await;
    assert_eq!(stack.developers_key(), key);
    let path = format!("/payments/{}", payment["id"].as_str().unwrap());
    assert_eq!(stack.client(merchant.client.secret()).get(&path).await.expect(200).body, payment);
    stack.kill().await;
    stack.set_knob("FRESH", 1);
    stack.restart().await;
    assert_ne!(stack.developers_key(), key);
    stack.client(merchant.client.secret()).get(&path).await.expect(401);
    let items = stack.table().items().await;
    let before = items.iter().find(|item| item["pk"].as_str().unwrap().starts_with(&merchant.id));
    assert_eq!(before, None);
    stack.client(stack.developers_key()).paid(1250, "USD").await;
}

#[tokio::test]
async fn dev_json_describes_the_stack() {
    let stack = Stack::start(Options::new()).await;
    let description = stack.description().as_object().unwrap();
    let fields =
        ["api_key", "api_url", "base_url", "dynamodb_url", "env_file", "merchant_id", "pid", "sqs_url", "table"]
            .map(str::to_owned);
    assert_eq!(description.keys().cloned().collect::<BTreeSet<_>>(), BTreeSet::from(fields));
    assert_eq!(description["pid"], stack.pid());
    for url in ["api_url", "base_url", "dynamodb_url", "sqs_url"] {
        assert!(description[url].as_str().unwrap().starts_with("http://127.0.0.1:"), "{description:?}");
    }
    assert!(stack.base_url().ends_with("/v1"));
    assert!(stack.developers_key().starts_with("sk_test_") && stack.developers_merchant().starts_with("mer_"));
    let environment = fs::read_to_string(stack.env_file()).unwrap();
    for (name, value) in [("TABLE_NAME", &description["table"]), ("AWS_ENDPOINT_URL_SQS", &description["sqs_url"])] {
        let line = format!("{name}={}", value.as_str().unwrap());
        assert!(environment.lines().any(|each| each == line), "no {line} in:\n{environment}");
    }
    let items = stack.table().items().await;
    assert!(items.iter().any(|item| item["pk"] == json!(stack.developers_merchant())));
}

#[tokio::test]
async fn the_runner_prints_a_working_key() {
    let stack = Stack::start(Options::new()).await;
    let client = stack.client(stack.developers_key());
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
async fn ctrl_c_and_sigterm_leave_no_process() {
    for signal in ["INT", "TERM"] {
        let mut stack = Stack::start(Options::new()).await;
        let merchant = stack.new_merchant().await;
        merchant.client.create_payment(&unique(), &json!({"amount": 1, "currency": "USD", "token": "tok_visa"})).await;
        assert_eq!(stack.end_by(signal).await, Some(0), "{signal}");
        assert!(!stack.data().join("dev.json").exists(), "{signal}");
    }
}
