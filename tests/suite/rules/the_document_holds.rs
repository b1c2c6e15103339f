//! The API does what docs/openapi.json says: schemathesis makes valid and invalid requests from the document and
//! compares each answer with it. Accepted findings and their reasons are in tests/schemathesis.toml. (One worker:
//! Python 3.11 sometimes fails to compile generated code in several threads.)

use serde_json::Value;
use spillway_tests::make::{self, Output};
use spillway_tests::{Options, Stack, Template};

/// Most requests of each kind for each endpoint.
const EXAMPLES_MAX: &str = "25";
/// Most explained findings in the configuration; more would be faults of the document.
const EXPLAINED_MAX: usize = 5;

#[tokio::test]
async fn schemathesis_finds_nothing_unexplained() {
    let root = make::root();
    let tool = root.join(".local/tools/schemathesis/bin/schemathesis");
    assert!(tool.exists(), "{} is missing: `make test` installs it there", tool.display());
    // The URLs of its endpoints belong to nobody: no webhook may be sent to them.
    let no_posts = Template::without_events(&["DeliverWebhook"]);
    // Limits above thousands of requests in a row.
    let rates = [
        "STAGE_RATE",
        "STAGE_BURST",
        "STANDARD_PLAN_RATE",
        "STANDARD_PLAN_BURST",
        "STANDARD_PLAN_LIST_RATE",
        "HIGH_PLAN_RATE",
        "HIGH_PLAN_BURST",
        "HIGH_PLAN_LIST_RATE",
    ];
    let options =
        rates.into_iter().fold(Options::new().template(no_posts), |options, rate| options.knob(rate, 100_000));
    let stack = Stack::start(options).await;
    let client = stack.new_merchant().await.client;
    let mut run = make::command(tool);
    let file = |name: &str| root.join(name).display().to_string();
    // Every check is on, except as configured. The tool's own files stay with the stack's data.
    run.current_dir(stack.data());
    run.args(["--config-file", &file("tests/schemathesis.toml"), "run", &file("docs/openapi.json")])
        .args(["--url", &format!("http://127.0.0.1:{}", stack.port())])
        .args(["--header", &format!("Authorization: Bearer {}", client.secret())])
        .args(["--max-examples", EXAMPLES_MAX, "--seed", "1", "--workers", "1", "--continue-on-failure", "--no-color"])
        .env("NO_PROXY", "127.0.0.1")
        .env("COLUMNS", "120");
    let Output { succeeded, stdout, .. } = make::output(run).await;
    assert!(succeeded, "{stdout}");
    println!("{stdout}");
}

#[test]
fn each_explained_finding_has_its_reason() {
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
