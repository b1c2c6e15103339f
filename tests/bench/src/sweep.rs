//! The sweep after an outage: its speed, what one item costs it, and how long another merchant's retry waits behind the
//! dead deliveries of one merchant.
//!
//! The embedded table stores about 1,500 writes a second on two cores, so the speed here is the table's. The CPU time of
//! an item is the function's own, and says what the function can do on AWS.

use std::fs;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use spillway_tests::clock::in_seconds;
use spillway_tests::{Deadline, Options, Stack, Template, event, eventually};

use crate::plan::Plan;
use crate::resources::cpu_us;

/// Partitions of each due group in the index `due`.
const PARTITIONS: usize = 64;
/// The memory at which Lambda gives a function one whole core.
const MEGABYTES_OF_A_CORE: u64 = 1769;

/// Measures it all.
pub async fn measure(plan: &Plan) -> Result<Value, String> {
    eprintln!("sweep: {} overdue deliveries of 100 merchants", plan.swept);
    let stack = Stack::try_start(Options::new().template(Template::without_triggers()).unkilled()).await?;
    // The first sweep starts the process.
    stack.run_due().await;
    let merchants: Vec<String> = (0..100).map(|number| id("mer", number)).collect();
    fill(&stack, plan.swept, |number| (merchants[number % merchants.len()].clone(), 0)).await;
    let (before, began) = (cpu(&stack), Instant::now());
    until_swept(&stack, plan.swept).await?;
    let (took, used) = (began.elapsed(), cpu(&stack) - before);
    let per_minute = plan.swept as u128 * 60_000 / took.as_millis().max(1);
    let cpu_ns = used * 1000 / plan.swept as u64;
    eprintln!("sweep: {} dead deliveries of one merchant before one of another", plan.dead);
    let (dead, other) = (id("mer", 1000), id("mer", 1001));
    // The other merchant's retry is due last.
    fill(&stack, plan.dead + 1, |number| if number == plan.dead { (other.clone(), 1) } else { (dead.clone(), 0) })
        .await;
    let late = late(&stack, &other, plan.dead).await?;
    Ok(json!({"items": plan.swept, "items_per_minute": per_minute, "cpu_ns_per_item": cpu_ns,
        "items_per_minute_and_core": 60_000_000_000 / cpu_ns.max(1), "megabytes_of_a_core": MEGABYTES_OF_A_CORE,
        "peak_memory_kb": peak_kb(&stack), "dead": plan.dead, "neighbour_late_ms": late.as_millis()}))
}

/// Stores overdue deliveries; `of` returns the merchant of each, and the seconds that it is due after the others.
async fn fill(stack: &Stack, count: usize, of: impl Fn(usize) -> (String, i64)) {
    let items: Vec<Value> = (0..count)
        .map(|number| {
            let (merchant, later) = of(number);
            let text = |value: String| json!({"S": value});
            json!({"pk": text(format!("{merchant}#test#{}", id("evt", number))), "sk": text(id("we", 0)),
                "due": text(format!("due#deliveries#{}", number % PARTITIONS)),
                "due_at": text(in_seconds(later - 3600)), "due_claims": {"N": "0"}})
        })
        .collect();
    stack.table().put_all(&items).await;
}

/// Sweeps until nothing is due. Every item has one message then.
async fn until_swept(stack: &Stack, count: usize) -> Result<(), String> {
    let queue = stack.queues().url("WebhooksQueue").await;
    let before = stack.queues().depth(&queue).await;
    loop {
        let answer =
            stack.invoke("enqueue-due", &event::tick()).await.map_err(|error| format!("the sweep: {error}"))?;
        eprintln!("sweep: {answer}");
        if answer.as_str().is_some_and(|answer| answer.contains(" 0 deliveries")) {
            break;
        }
    }
    let sent = stack.queues().depth(&queue).await - before;
    if sent == count as u64 { Ok(()) } else { Err(format!("{sent} messages for {count} items")) }
}

/// The time from the start of the first sweep to the claim of the other merchant's retry, with one sweep after another.
async fn late(stack: &Stack, other: &str, number: usize) -> Result<Duration, String> {
    let (pk, began) = (format!("{other}#test#{}", id("evt", number)), Instant::now());
    let sweeps = async {
        loop {
            let _ = stack.invoke("enqueue-due", &event::tick()).await;
        }
    };
    let claimed = eventually("the other merchant's retry is claimed", Deadline::LATER * 10, async || {
        let item = stack.table().item(&pk, &id("we", 0)).await;
        let item = item.ok_or("no item")?;
        if item["due_claims"] == 1 { Ok(()) } else { Err(format!("{item:?}")) }
    });
    tokio::select! {
        () = sweeps => {}
        () = claimed => {}
    }
    Ok(began.elapsed())
}

/// A well-formed id.
fn id(kind: &str, number: usize) -> String {
    format!("{kind}_{number:0>26}")
}

fn cpu(stack: &Stack) -> u64 {
    stack.function_pids("enqueue-due").into_iter().map(cpu_us).sum()
}

fn peak_kb(stack: &Stack) -> u64 {
    let peak = |pid: u32| {
        let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
        let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")?.trim().strip_suffix(" kB"));
        peak.and_then(|kb| kb.trim().parse::<u64>().ok()).unwrap_or_default()
    };
    stack.function_pids("enqueue-due").into_iter().map(peak).max().unwrap_or_default()
}
