//! `make chaos MINUTES=10`: load on its own stack while processes die, messages and replies are lost, the stream is
//! replayed and the store fails. Then the oracle looks for anything lost, doubled or unbalanced.

use std::process::ExitCode;

use spillway_tests::chaos::{self, Plan, Progress};
use spillway_tests::progress::Bar;
use spillway_tests::tool::{self, count};

#[tokio::main]
async fn main() -> ExitCode {
    tool::run(chaos()).await
}

async fn chaos() -> Result<bool, String> {
    let length = tool::minutes("MINUTES", 10)?;
    let clients = tool::number("CLIENTS", 4, 1..=64)?;
    let (seed, json) = (tool::seed()?, tool::wants_json());
    let plan = Plan {
        length,
        seed,
        clients: usize::try_from(clients).unwrap_or(4),
        merchants: 3,
        // Four clients then send some 40 payments a second, 25,000 in ten minutes.
        pauses_ms: 30 * clients / 4..150 * clients.div_ceil(4),
    };
    if !json {
        let (minutes, seconds) = (length.as_secs() / 60, length.as_secs() % 60);
        println!("\nSpillway: {minutes} min {seconds} s of faults, {clients} clients at once (SEED={seed})\n");
    }
    let mut bar = Bar::of(plan.length.as_secs(), json);
    let report = chaos::run(&plan, |progress| {
        let left = progress.left.unwrap_or_default();
        bar.set(plan.length.saturating_sub(left).as_secs(), &line(progress));
    })
    .await;
    bar.clear();
    let report = report?;
    if json {
        println!("{}", report.json());
    } else {
        print!("{}", report.text());
    }
    Ok(report.violations.is_empty())
}

fn line(progress: &Progress) -> String {
    let when = match progress.left {
        Some(left) => format!("{:>4} s left", left.as_secs()),
        None => "faults over, waiting".to_owned(),
    };
    let [accepted, refunds, events, told] =
        [progress.accepted, progress.refunds, progress.events, progress.acknowledged].map(count);
    let of = |part: &str| {
        let faults = progress.faults.iter().filter(|(kind, _)| kind.starts_with(part));
        count(faults.map(|(_, times)| times).sum())
    };
    let [functions, stacks, messages, store] = ["function killed", "whole stack", "message lost", "store"].map(of);
    format!(
        "{when} · {accepted} payments, {refunds} refunds · {events} events, {told} acknowledged · killed: functions \
         {functions}, whole stack {stacks} · lost: messages {messages} · store faults {store}"
    )
}
