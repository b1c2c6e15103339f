//! The runner does what the template says: what is taken out of a copy is gone, and nothing else.

use std::fs;
use std::path::Path;

use serde_json::json;
use spillway_tests::auditor::Books;
use spillway_tests::queues::copies;
use spillway_tests::receiver::Receiver;
use spillway_tests::{Deadline, Options, Stack, Template, eventually};
use tokio::process::Command;
use tokio::time::timeout;

#[tokio::test]
async fn with_one_route_and_one_trigger_removed_exactly_those_are_gone() {
    let template = Template::read().without(&["Resources", "GetBalance", "Properties", "Events"]).without(&[
        "Resources",
        "DeliverWebhook",
        "Properties",
        "Events",
    ]);
    let stack = Stack::start(Options::new().template(template).knob("FOLD_DELAY_SECONDS", 0)).await;
    let merchant = stack.new_merchant().await;
    let client = &merchant.client;
    client.get("/balance").await.expect_problem(404, "not_found");

    client.get("/health").await.expect(200);
    let receiver = Receiver::start().await;
    client.create_webhook_endpoint(receiver.url(), &["payment.*"]).await;
    client.paid(1250, "USD").await;
    eventually("the balance is folded", Deadline::SOON, async || {
        let books = Books::read(&stack, &merchant.tenant()).await;
        let seq = books.balances.get("USD").map(|balance| balance["seq"].clone());
        if seq.is_some() { Ok(()) } else { Err(format!("{:?}", books.balances)) }
    })
    .await;
    let queues = stack.queues();
    let webhooks = queues.url("WebhooksQueue").await;
    eventually("the event waits in its queue", Deadline::SOON, async || {
        let depth = queues.depth(&webhooks).await;
        if depth == copies() { Ok(()) } else { Err(format!("{depth} messages")) }
    })
    .await;
    assert_eq!(receiver.attempts().len(), 0);
    // The function itself is there; only nothing calls it.
    let messages = queues.take(&webhooks, 1).await;
    stack.invoke("deliver-webhook", &spillway_tests::event::sqs(&messages)).await.unwrap();
    assert_eq!(receiver.attempts().len(), 1);
}

#[tokio::test]
async fn limits_come_from_the_template() {
    let template = Template::read()
        .with(&["Parameters", "StandardPlanBurst", "Default"], "3")
        .with(&["Parameters", "StandardPlanRate", "Default"], "1");
    let stack = Stack::start(Options::new().template(template)).await;
    let client = stack.new_merchant_with(json!({"plan": "standard"})).await.client;
    let mut statuses = Vec::new();
    for _ in 0..6 {
        statuses.push(client.get("/balance").await.status.as_u16());
    }
    assert_eq!((statuses[0], statuses[1], statuses[2]), (200, 200, 200));
    assert!(statuses.contains(&429), "{statuses:?}");
}

#[tokio::test]
async fn what_the_runner_does_not_understand_is_one_clear_error() {
    let folder = std::env::temp_dir().join(format!("spillway-{}", spillway_tests::unique()));
    fs::create_dir_all(&folder).unwrap();
    let odd = ["Resources", "Table", "Properties", "BillingMode"];
    let template = Template::read();
    let line = template.line(&odd).to_string();
    let broken = [
        ("an unknown intrinsic", template.with(&odd, "!FindInMap [a, b, c]").text(), line.as_str()),
        ("no YAML", "Resources: [".to_owned(), ""),
        ("no file", String::new(), ""),
    ];
    for (what, text, told_line) in broken {
        let path = folder.join("template.yaml");
        let _ = fs::remove_file(&path);
        if !text.is_empty() {
            fs::write(&path, &text).unwrap();
        }
        let told = refusal(&path, "0", &folder.join("data")).await;
        assert!(told.contains(told_line), "{what} in line {told_line}: {told}");
    }
    fs::remove_dir_all(&folder).unwrap();
}

#[tokio::test]
async fn a_taken_port_is_one_clear_sentence() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let data = std::env::temp_dir().join(format!("spillway-{}", spillway_tests::unique()));
    let told = refusal(&spillway_tests::template::path(), &port, &data).await;
    assert!(told.contains(&port), "{told}");
    let _ = fs::remove_dir_all(&data);
}

/// What a runner says that can't start: one sentence, and not a panic's.
async fn refusal(template: &Path, port: &str, data: &Path) -> String {
    let mut command = Command::new(Stack::runner());
    command.env("TEMPLATE", template).env("PORT", port).env("DATA", data).kill_on_drop(true);
    let output = timeout(Deadline::SOON, command.output()).await.expect("it ends by itself").unwrap();
    let told = String::from_utf8_lossy(&output.stderr).trim().to_owned();
    assert!(!output.status.success(), "it started: {told}");
    assert!(!told.is_empty() && !told.contains("panicked"), "{told}");
    assert_eq!(told.lines().count(), 1, "{told}");
    told
}
