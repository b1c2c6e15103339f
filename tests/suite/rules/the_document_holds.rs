//! The API does what docs/openapi.json says, and refuses what it does not: schemathesis makes requests from the document,
//! right and wrong ones, and compares each answer with it. What it may find nevertheless, and why, stands in
//! tests/schemathesis.toml. (One worker: Python 3.11 fails now and then to compile generated code in several threads.)

use serde_json::Value;
use spillway_tests::make::{self, Output};
use spillway_tests::{Options, Stack, Template};

/// Requests of each kind for each endpoint at most.
const EXAMPLES_MAX: &str = "25";
/// A finding that is explained is an entry in the configuration; more than so many are a fault of the document.
const EXPLAINED_MAX: usize = 5;

#[tokio::test]
async fn schemathesis_finds_nothing_unexplained() {
    let root = make::root();
    let tool = root.join(".local/tools/schemathesis/bin/schemathesis");
    assert!(tool.exists(), "{} is missing: `make test` installs it there", tool.display());
    // The endpoints that it makes up are nobody's: nothing may be posted to them.
    let no_posts = Template::without_events(&["DeliverWebhook"]);
    // Thousands of requests in a row are no flood here.
    let rates =
        ["STAGE_RATE", "STAGE_BURST", "STANDARD_PLAN_RATE", "STANDARD_PLAN_BURST", "HIGH_PLAN_RATE", "HIGH_PLAN_BURST"];
    let options =
        rates.into_iter().fold(Options::new().template(no_posts), |options, rate| options.knob(rate, 100_000));
    let stack = Stack::start(options).await;
    let client = stack.new_merchant().await.client;
    let mut run = make::command(tool);
    let file = |name: &str| root.join(name).display().to_string();
    // Every check is on, but where the configuration says otherwise. What it remembers of a run stays with the stack's data.
    run.current_dir(stack.data());
    run.args(["--config-file", &file("tests/schemathesis.toml"), "run", &file("docs/openapi.json")])
        .args(["--url", &format!("http://127.0.0.1:{}", stack.port())])
        .args(["--header", &format!("Authorization: Bearer {}", client.secret())])
        .args(["--max-examples", EXAMPLES_MAX, "--seed", "1", "--workers", "1", "--continue-on-failure", "--no-color"])
        .env("NO_PROXY", "127.0.0.1")
        .env("COLUMNS", "120");
    let Output { succeeded, shown, .. } = make::output(run).await;
    assert!(succeeded, "{shown}");
    println!("{shown}");
}

#[test]
fn few_findings_are_explained_and_each_has_its_reason() {
    let text = std::fs::read_to_string(make::root().join("tests/schemathesis.toml")).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    let entries = lines.iter().enumerate().filter(|(_, line)| **line == "[[operations]]").map(|(index, _)| index);
    let entries: Vec<usize> = entries.collect();
    assert!(entries.len() <= EXPLAINED_MAX, "{} findings are explained", entries.len());
    for index in entries {
        let reason = lines[index - 1];
        assert!(reason.starts_with("# ") && reason.ends_with('.'), "an explained finding needs its reason: {reason}");
    }
}

#[tokio::test]
async fn the_served_document_is_the_committed_one() {
    let stack = Stack::start(Options::new()).await;
    let served = stack.client("").get("/openapi.json").await.expect(200);
    let committed: Value = serde_json::from_str(include_str!("../../../docs/openapi.json")).unwrap();
    assert_eq!(served.body, committed);
}
