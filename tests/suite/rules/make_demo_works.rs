//! `make demo`, without the build: it starts a stack, tells what it saw, and leaves nothing running.

use serde_json::Value;
use spillway_tests::make::{self, Output};
use spillway_tests::verdict::verdict;
use spillway_tests::violation::Kind;
use spillway_tests::{Options, Stack, process};

/// Runs the demo with 30 payments, for the stack whose folder is `data`.
async fn demo(data: &str, json: bool) -> Output {
    demo_with(data, json, &[]).await
}

async fn demo_with(data: &str, json: bool, variables: &[(&str, &str)]) -> Output {
    let mut demo = make::command(Stack::runner().with_file_name("demo"));
    demo.env("DATA", data).env("PAYMENTS", "30").env("SEED", "3").env("JSON", if json { "1" } else { "0" });
    demo.envs(variables.iter().copied());
    make::output(demo).await
}

#[tokio::test]
async fn the_demo_on_a_stack_of_its_own_finds_nothing_wrong_and_ends_it() {
    let output = demo("/nowhere", false).await;
    assert!(output.succeeded, "{output:#?}");
    for shown in [
        "30 accepted · 30 settled · ",
        "Nothing was lost, doubled or unbalanced",
        "POST /v1/payments",
        "POST …/refunds",
        "started for this demo",
    ] {
        assert!(output.shown.contains(shown), "{shown} is not in {}", output.shown);
    }
    let url = output.shown.lines().find_map(|line| line.trim().strip_prefix("stack")?.split("http://").nth(1));
    let address = url.unwrap().split('/').next().unwrap();
    assert!(std::net::TcpStream::connect(address).is_err(), "the stack still runs");
}

/// Both the payments and their reading exceed the plan.
#[tokio::test]
async fn the_demo_under_a_plan_of_five_requests_a_second_is_only_slower() {
    let plan = [("HIGH_PLAN_RATE", "5"), ("HIGH_PLAN_BURST", "5")];
    let output = demo_with("/nowhere", false, &plan).await;
    assert!(output.succeeded, "{output:#?}");
    for shown in ["30 accepted · 30 settled · ", "Nothing was lost, doubled or unbalanced"] {
        assert!(output.shown.contains(shown), "{shown} is not in {}", output.shown);
    }
}

#[test]
fn the_verdict_names_ten_broken_promises_and_counts_the_rest() {
    let lost = (0..100).map(|number| Kind::Lost.of(format!("pay_{number} was never posted")));
    let wrong = (0..13).map(|number| Kind::Wrong.of(format!("pay_{number}: fee is 1, not 66")));
    let text = verdict(&lost.chain(wrong).collect::<Vec<_>>());
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines.len(), 12, "{text}");
    assert_eq!(lines[0], "113 promises were broken: 100 lost, 13 wrong.");
    assert_eq!(lines[1], "  lost        pay_0 was never posted");
    assert_eq!(lines[10], "  lost        pay_9 was never posted");
    assert_eq!(lines[11], "  and 103 more; JSON=1 shows all of them.");
    assert_eq!(verdict(&[Kind::Wrong.of("x")]), "1 promise was broken: 1 wrong.\n  wrong       x");
}

#[tokio::test]
async fn the_demo_on_a_running_stack_leaves_it_running_and_gives_machines_one_object() {
    let stack = Stack::start(Options::new().unkilled()).await;
    let output = demo(&stack.data().display().to_string(), true).await;
    assert!(output.succeeded, "{output:#?}");
    let told: Value = serde_json::from_str(&output.shown).unwrap();
    assert_eq!((&told["sent"], &told["accepted"]), (&30.into(), &30.into()));
    // One of each payment, two of each refund.
    let refunds = told["refunds"].as_u64().unwrap();
    assert!(refunds > 0, "{told}");
    assert_eq!(told["webhooks"], 30 + 2 * refunds);
    assert_eq!(told["latency_us"]["refund_webhook"]["count"], refunds);
    assert_eq!(told["pending"], told["pending_expected"]);
    assert_eq!(told["violations"], Value::Array(Vec::new()));
    assert_eq!(told["latency_us"]["post"]["count"], 30);
    assert!(process::descendants(stack.pid()).iter().any(|process| process.program == "create-payment"));
    stack.client(stack.developers_key()).get("/balance").await.expect(200);
}

#[tokio::test]
async fn a_demo_that_is_told_nonsense_says_so_in_one_sentence() {
    let mut demo = make::command(Stack::runner().with_file_name("demo"));
    demo.env("DATA", "/nowhere").env("PAYMENTS", "many");
    let output = make::output(demo).await;
    assert!(!output.succeeded && output.shown.is_empty(), "{output:#?}");
    assert_eq!(output.told, "PAYMENTS is many; it must be a number from 1 to 100000.\n");
}
