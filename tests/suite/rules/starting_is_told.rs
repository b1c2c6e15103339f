//! A runner that can't start says why in one sentence, and one that starts tells where it is and what it begins with.

use std::collections::BTreeSet;
use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};

use serde_json::json;
use spillway_tests::make::{self, Output};
use spillway_tests::refusal::refusal;
use spillway_tests::{Options, Stack, unique};

/// A path where nothing is yet.
fn elsewhere() -> PathBuf {
    std::env::temp_dir().join(format!("spillway-{}", unique()))
}

#[tokio::test]
async fn a_taken_port_of_the_api_or_the_queues_is_one_clear_sentence() {
    for name in ["PORT", "SQS_PORT"] {
        taken_is_told(name).await;
    }
}

#[tokio::test]
async fn a_taken_port_of_the_table_is_one_clear_sentence() {
    taken_is_told("DYNAMODB_PORT").await;
}

async fn taken_is_told(name: &str) {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let data = elsewhere();
    let told = refusal(&data, &[(name, &port)]).await;
    assert!(told.contains(&port), "{name}: {told}");
    fs::remove_dir_all(&data).unwrap();
}

#[tokio::test]
async fn a_setting_that_makes_no_sense_is_one_clear_sentence() {
    let data = elsewhere();
    for (name, value) in
        [("PORT", "ninethousand"), ("FRESH", "maybe"), ("FIRST_DUE_SECONDS", "soon"), ("SETUP", "/nowhere")]
    {
        let told = refusal(&data, &[(name, value)]).await;
        assert!(told.contains(value), "{name}: {told}");
    }
    let _ = fs::remove_dir_all(&data);
}

/// Tests take seconds by such values. On a stack with money a charge would be given up, or counted too late.
#[tokio::test]
async fn a_wait_that_is_too_short_for_money_is_one_clear_sentence() {
    let data = elsewhere();
    for (name, value) in
        [("SHARDS_AHEAD_SECONDS", "59"), ("ABSENT_AGAIN_SECONDS", "299"), ("LAST_LOOK_SECONDS", "3599")]
    {
        let told = refusal(&data, &[(name, value)]).await;
        assert!(told.ends_with(&format!("{name} is {value}, which is out of range")), "{told}");
    }
    let _ = fs::remove_dir_all(&data);
}

#[tokio::test]
async fn a_second_runner_on_the_same_data_is_refused_and_the_first_goes_on() {
    let stack = Stack::start(Options::new()).await;
    let told = refusal(stack.data(), &[]).await;
    assert!(told.contains(&stack.data().display().to_string()) && told.contains("DATA="), "{told}");
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
async fn fresh_begins_with_nothing_of_before() {
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
async fn dev_json_says_where_everything_is() {
    let stack = Stack::start(Options::new()).await;
    let told = stack.description().as_object().unwrap();
    let fields =
        ["api_key", "api_url", "base_url", "dynamodb_url", "env_file", "merchant_id", "pid", "sqs_url", "table"]
            .map(str::to_owned);
    assert_eq!(told.keys().cloned().collect::<BTreeSet<_>>(), BTreeSet::from(fields));
    assert_eq!(told["pid"], stack.pid());
    for url in ["api_url", "base_url", "dynamodb_url", "sqs_url"] {
        assert!(told[url].as_str().unwrap().starts_with("http://127.0.0.1:"), "{told:?}");
    }
    assert!(stack.base_url().ends_with("/v1"));
    assert!(stack.developers_key().starts_with("sk_test_") && stack.developers_merchant().starts_with("mer_"));
    let environment = fs::read_to_string(stack.env_file()).unwrap();
    for (name, value) in [("TABLE_NAME", &told["table"]), ("AWS_ENDPOINT_URL_SQS", &told["sqs_url"])] {
        let line = format!("{name}={}", value.as_str().unwrap());
        assert!(environment.lines().any(|each| each == line), "no {line} in:\n{environment}");
    }
    let items = stack.table().items().await;
    assert!(items.iter().any(|item| item["pk"] == json!(stack.developers_merchant())));
}

/// Runs the script behind `make dev` where only these programs can be found.
async fn dev_with(programs: &[&str]) -> Output {
    let folder = elsewhere();
    fs::create_dir_all(&folder).unwrap();
    for name in programs {
        std::os::unix::fs::symlink(find(name), folder.join(name)).unwrap();
    }
    let mut script = make::command(make::root().join("infra/local/dev.sh"));
    script.arg("dev").env("PATH", &folder).env("PORT", "0").env("DATA", folder.join("data"));
    let output = make::output(script).await;
    fs::remove_dir_all(&folder).unwrap();
    output
}

fn find(program: &str) -> PathBuf {
    let path = std::env::var_os("PATH").unwrap();
    let found =
        std::env::split_paths(&path).map(|folder: PathBuf| folder.join(program)).find(|file| Path::exists(file));
    found.unwrap_or_else(|| panic!("{program} is not to be found"))
}

#[tokio::test]
async fn a_missing_toolchain_is_one_clear_sentence() {
    for (programs, missing) in
        [(&["dirname"][..], "cargo is missing"), (&["dirname", "cargo"], "C compiler is missing")]
    {
        let output = dev_with(programs).await;
        assert!(!output.succeeded && output.told.contains(missing), "{output:#?}");
        assert_eq!((output.told.lines().count(), output.shown.as_str()), (1, ""), "{output:#?}");
    }
}
