//! `make dev` as a stranger types it: the stack comes up, what it prints can be pasted, and `make stop` ends it.

use serde_json::{Value, json};
use spillway_tests::make::{self, MadeStack};
use spillway_tests::{Deadline, eventually};

/// The lines of the banner that are to be pasted.
fn pasted(log: &str) -> Vec<&str> {
    log.lines().filter(|line| line.contains("curl ")).collect()
}

/// Runs the lines in a shell; gives (status, body) of each `curl` in them.
async fn run(lines: &[&str]) -> Vec<(u16, Value)> {
    // Each answer in a line, and its status in the next.
    let curl = r#"curl() { command curl --noproxy '*' -w '\n%{http_code}\n' "$@"; }"#;
    let mut shell = make::command("sh");
    shell.arg("-c").arg(format!("{curl}\n{}", lines.join("\n")));
    let output = make::output(shell).await;
    assert!(output.succeeded, "{output:#?}");
    let shown: Vec<&str> = output.shown.lines().filter(|line| !line.is_empty()).collect();
    let answers = shown.chunks(2).map(|answer| {
        let status = answer.get(1).and_then(|status| status.parse().ok());
        (status.unwrap_or_else(|| panic!("{output:#?}")), serde_json::from_str(answer[0]).unwrap())
    });
    answers.collect()
}

#[tokio::test]
async fn the_three_lines_of_the_banner_charge_a_card_once_and_make_stop_ends_it_all() {
    let stack = MadeStack::start("dev", vec![]).await;
    let log = stack.log();
    let lines = pasted(&log);
    assert_eq!(lines.len(), 3, "{log}");
    // Pasted again and again, as somebody may who waits: it stays one payment.
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
    assert!(!again.succeeded && again.told.contains("make stop"), "{again:#?}");
    assert_eq!(stack.client().balance("USD").await, (0, 1184));
    let programs = stack.processes();
    assert!(programs.iter().any(|process| process.program == "spillway-local"), "{programs:?}");
    // In the background it tells where it is, and what ends it.
    let told = ["base_url", "api_key", "merchant_id"].map(|field| stack.described(field));
    assert!(told.iter().all(|value| stack.shown.contains(value)), "{told:?} in {}", stack.shown);
    let stop = stack.shown.lines().find_map(|line| line.strip_suffix(" ends it.")).unwrap();
    assert_eq!(stop, format!("make stop DATA={}", stack.data().display()));
    assert!(again.told.contains(&format!("`{stop}`")), "{again:#?}");
    let mut shell = make::command("sh");
    shell.args(["-c", stop]);
    assert!(make::output(shell).await.succeeded);
    stack.is_gone().await;
    stack.stop().await;
}
