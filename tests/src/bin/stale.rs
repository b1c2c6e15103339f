//! `make stale READS=1000000`: reads through the cache among writes, while the cache is killed, emptied, stopped, slowed,
//! filled and damaged. Each answer is compared with what was acknowledged before.

use std::process::ExitCode;
use std::sync::Mutex;

use spillway_tests::progress::Bar;
use spillway_tests::stale::{self, Plan};
use spillway_tests::tool::{self, grouped};

#[tokio::main]
async fn main() -> ExitCode {
    tool::run(stale()).await
}

async fn stale() -> Result<bool, String> {
    let plan = Plan {
        reads: tool::number("READS", 1_000_000, 1..=100_000_000)?,
        clients: tool::number("CLIENTS", 8, 1..=64)?,
        seed: tool::seed()?,
    };
    println!("\nSpillway: reads through the cache, {} clients at once (SEED={})\n", plan.clients, plan.seed);
    let bar = Mutex::new(Bar::of(plan.reads, false));
    let report = stale::run(plan, move |reads| {
        let message = format!("{} reads", grouped(i64::try_from(reads).unwrap_or(i64::MAX)));
        bar.lock().unwrap_or_else(std::sync::PoisonError::into_inner).set(reads, &message);
    })
    .await?;
    print!("{}", report.text());
    Ok(report.found.is_empty())
}
