//! `make chaos MINUTES=10`: load on a stack of its own while processes die, queues and replies are lost, the stream is
//! replayed and the store fails; then a witness looks for whatever is lost, doubled or unbalanced.

use std::process::ExitCode;
use std::time::Duration;

use spillway_tests::chaos::{self, Plan, Progress};
use spillway_tests::progress::Bar;
use spillway_tests::tool::{self, count};

#[tokio::main]
async fn main() -> ExitCode {
    tool::run(chaos()).await
}

async fn chaos() -> Result<bool, String> {
    let minutes = tool::number("MINUTES", 10, 1..=1_440)?;
    let clients = tool::number("CLIENTS", 4, 1..=64)?;
    let (seed, json) = (tool::seed()?, tool::wants_json());
    let plan = Plan {
        length: Duration::from_secs(minutes * 60),
        seed,
        clients: usize::try_from(clients).unwrap_or(4),
        merchants: 3,
        // Four clients then send some 40 payments a second, 25,000 in ten minutes.
        pauses_ms: 30 * clients / 4..150 * clients.div_ceil(4),
    };
    if !json {
        println!("\nSpillway: {minutes} minutes of faults, {clients} clients at once, SEED={seed}\n");
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
    let [accepted, settled, told] = [progress.accepted, progress.settled, progress.told].map(count);
    let number = |kind: &str| progress.faults.get(kind).copied().unwrap_or_default();
    let of =
        |part: &str| progress.faults.iter().filter(|(kind, _)| kind.starts_with(part)).map(|(_, times)| times).sum();
    let [functions, runner, messages, store] =
        [number("function killed"), of("runner"), number("message lost"), of("store")].map(count);
    format!(
        "{when} · {accepted} accepted · {settled} settled · {told} told · killed {functions} functions, {runner} \
         stacks · lost {messages} messages · {store} store faults"
    )
}
