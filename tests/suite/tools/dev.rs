//! `make dev`: the stack starts, its printed commands work, and `make stop` ends it.

use serde_json::{Value, json};
use spillway_tests::make::{self, MadeStack};
use spillway_tests::{Deadline, eventually};

/// The commands of the banner.
fn pasted(log: &str) -> Vec<&str> {
    log.lines().filter(|line| line.contains("curl ")).collect()
}

/// Runs the lines in a shell; returns status and body of each `curl` in them.
async fn run(lines: &[&str]) -> Vec<(u16, Value)> {
    let mut shell = make::command("sh");
    shell.arg("-c").arg(format!("{}\n{}", make::CURL, lines.join("\n")));
    make::output(shell).await.curl_answers()
}

#[tokio::test]
async fn make_dev_prints_working_commands_and_make_stop_ends_it() {
    let stack = MadeStack::start("dev", vec![]).await;
    let log = stack.log();
    let lines = pasted(&log);
    assert_eq!(lines.len(), 3, "{log}");
    // Repeated while waiting: there is still one payment.
    let [accepted, payment, balance] = eventually("the payment has succeeded", Deadline::LATER, async || {
        let answers: [(u16, Value); 3] = run(&lines).await.try_into().map_err(|answers| format!("{answers:?}"))?;
        if answers[1].1["status"] == "succeeded" { Ok(answers) } else { Err(format!("{answers:?}")) }
    })
    .await;
    assert_eq!((accepted.0, &accepted.1["status"]), (202, &json!("processing")));
    assert_eq!((payment.0, &payment.1["id"], &payment.1["fee"]), (200, &accepted.1["id"], &json!(66)));
    let dollars = json!({"currency": "USD", "available": 0, "pending": 1184});
    assert!(balance.0 == 200 && balance.1["balances"].as_array().unwrap().contains(&dollars), "{balance:?}");
    let page = stack.client().get("/../docs").await.expect(200);
    assert!(page.text.contains("<title>Spillway: API reference</title>"));

    let again = stack.try_make("dev").await;
    assert!(!again.succeeded && again.stderr.contains("make stop"), "{again:#?}");
    assert_eq!(stack.client().balance("USD").await, (0, 1184));
    let programs = stack.processes();
    assert!(programs.iter().any(|process| process.program == "spillway-local"), "{programs:?}");
    // In the background it prints its address and the command that ends it.
    let values = ["base_url", "api_key", "merchant_id"].map(|field| stack.described(field));
    assert!(values.iter().all(|value| stack.stdout.contains(value)), "{values:?} in {}", stack.stdout);
    let stop = stack.stdout.lines().find_map(|line| line.strip_suffix(" ends it.")).unwrap();
    assert_eq!(stop, format!("make stop DATA={}", stack.data().display()));
    assert!(again.stderr.contains(&format!("`{stop}`")), "{again:#?}");
    let mut shell = make::command("sh");
    shell.args(["-c", stop]);
    assert!(make::output(shell).await.succeeded);
    stack.is_gone().await;
    stack.stop().await;
}
