//! `make demo`, without the build, checks a run, prints a report, and leaves no process.

use serde_json::Value;
use spillway_tests::make::{self, Output};
use spillway_tests::{Options, Stack, process};

/// Runs the demo with 30 payments, for the stack whose folder is `data`.
async fn demo(data: &str, json: bool) -> Output {
    let mut demo = make::command(Stack::runner().with_file_name("demo"));
    demo.env("DATA", data).env("PAYMENTS", "30").env("SEED", "3").env("JSON", if json { "1" } else { "0" });
    make::output(demo).await
}

#[tokio::test]
async fn make_demo_starts_and_ends_its_own_stack() {
    let output = demo("/nowhere", false).await;
    assert!(output.succeeded, "{output:#?}");
    for shown in [
        "30 accepted · 30 settled · ",
        "Nothing was lost, doubled or unbalanced",
        "POST /v1/payments",
        "POST …/refunds",
        "started for this demo",
    ] {
        assert!(output.stdout.contains(shown), "{shown} is not in {}", output.stdout);
    }
    let url = output.stdout.lines().find_map(|line| line.trim().strip_prefix("stack")?.split("http://").nth(1));
    let address = url.unwrap().split('/').next().unwrap();
    assert!(std::net::TcpStream::connect(address).is_err(), "the stack still runs");
}

#[tokio::test]
async fn make_demo_prints_json_about_a_running_stack() {
    let stack = Stack::start(Options::new().unkilled()).await;
    let output = demo(&stack.data().display().to_string(), true).await;
    assert!(output.succeeded, "{output:#?}");
    let report: Value = serde_json::from_str(&output.stdout).unwrap();
    assert_eq!((&report["sent"], &report["accepted"]), (&30.into(), &30.into()));
    // One of each payment, two of each refund.
    let refunds = report["refunds"].as_u64().unwrap();
    assert!(refunds > 0, "{report}");
    assert_eq!(report["webhooks"], 30 + 2 * refunds);
    assert_eq!(report["latency_us"]["refund_webhook"]["count"], refunds);
    assert_eq!(report["pending"], report["pending_expected"]);
    assert_eq!(report["violations"], Value::Array(Vec::new()));
    assert_eq!(report["latency_us"]["post"]["count"], 30);
    assert!(process::descendants(stack.pid()).iter().any(|process| process.program == "create-payment"));
    stack.client(stack.developers_key()).get("/balance").await.expect(200);
}
