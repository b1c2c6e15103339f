//! The sweep after an outage: its speed, the CPU time of an item, and how long another merchant's retry waits behind the
//! dead deliveries of one merchant.

use std::fs;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use spillway_tests::clock::in_seconds;
use spillway_tests::{Deadline, Options, Stack, Template, event, eventually};

use crate::plan::Plan;
use crate::resources::{QUEUE, STORE, cpu_us};
use crate::stand_in::StandIn;

/// Partitions of each due group in the index `due`.
const PARTITIONS: usize = 64;

/// Measures it all.
pub async fn measure(plan: &Plan) -> Result<Value, String> {
    let mut figures = speed(plan.swept).await?;
    figures["dead"] = json!(plan.dead);
    figures["neighbour_late_ms"] = json!(late(plan.dead).await?.as_millis());
    Ok(figures)
}

/// The speed on a table without limits, at any rate.
async fn speed(count: usize) -> Result<Value, String> {
    eprintln!("sweep: {count} overdue deliveries, on a table without limits");
    let stand_in = StandIn::start(count, STORE, QUEUE);
    let variables = vec![
        ("AWS_ENDPOINT_URL_DYNAMODB", stand_in.url.clone()),
        ("AWS_ENDPOINT_URL_SQS", stand_in.url.clone()),
        ("SWEEP_RATE", "100000".to_owned()),
    ];
    let options = Options::new().template(Template::without_triggers()).unkilled();
    let stack = Stack::try_start(options.function_variables("enqueue-due", variables)).await?;
    let began = Instant::now();
    while stand_in.messages() < count {
        let before = stand_in.messages();
        stack.invoke("enqueue-due", &event::tick()).await.map_err(|error| format!("the sweep: {error}"))?;
        if stand_in.messages() == before {
            return Err(format!("the sweep left {} of {count} items", count - before));
        }
    }
    let took = began.elapsed().as_millis().max(1);
    let pids = stack.function_pids("enqueue-due");
    let cpu_us: u64 = pids.iter().copied().map(cpu_us).sum();
    let each = |all: u64, factor: u64| all * factor / u64::try_from(count).unwrap_or(u64::MAX).max(1);
    let calls = u64::try_from(stand_in.calls()).unwrap_or_default();
    Ok(json!({"items": count, "items_per_minute": count as u128 * 60_000 / took, "cpu_ns_per_item": each(cpu_us, 1000),
        "items_per_minute_and_core": 60_000_000_000 / each(cpu_us, 1000).max(1), "calls_per_100_items": each(calls, 100),
        "peak_memory_kb": pids.iter().map(|pid| peak_kb(*pid)).max()}))
}

/// The time from the start of the first sweep to the claim of a merchant's retry behind this many dead deliveries of
/// another, with one sweep after another on the embedded table.
async fn late(dead: usize) -> Result<Duration, String> {
    eprintln!("sweep: {dead} dead deliveries of one merchant before one of another");
    let stack = Stack::try_start(Options::new().template(Template::without_triggers()).unkilled()).await?;
    let items: Vec<Value> = (0..=dead).map(|number| delivery(number, number == dead)).collect();
    stack.table().put_all(&items).await;
    let (pk, began) = (items[dead]["pk"]["S"].as_str().unwrap_or_default(), Instant::now());
    let sweeps = async {
        loop {
            // The embedded table may be too slow for all claims.
            let _ = stack.invoke("enqueue-due", &event::tick()).await;
        }
    };
    let claimed = eventually("the other merchant's retry is claimed", Deadline::LATER * 10, async || {
        let item = stack.table().item(pk, &id("we", 0)).await.ok_or("no item")?;
        if item["due_claims"] == 1 { Ok(()) } else { Err(format!("{item:?}")) }
    });
    tokio::select! {
        () = sweeps => {}
        () = claimed => {}
    }
    Ok(began.elapsed())
}

/// An overdue delivery. The other merchant's is due last.
fn delivery(number: usize, is_others: bool) -> Value {
    let text = |value: String| json!({"S": value});
    let (merchant, seconds) = if is_others { (id("mer", 2), -1) } else { (id("mer", 1), -3600) };
    json!({"pk": text(format!("{merchant}#test#{}", id("evt", number))), "sk": text(id("we", 0)),
        "due": text(format!("due#deliveries#{}", number % PARTITIONS)), "due_at": text(in_seconds(seconds)),
        "due_claims": {"N": "0"}})
}

/// A well-formed id.
fn id(kind: &str, number: usize) -> String {
    format!("{kind}_{number:0>26}")
}

/// Peak memory of a process, in kilobytes.
fn peak_kb(pid: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")?.trim().strip_suffix(" kB"));
    peak.and_then(|kb| kb.trim().parse().ok()).unwrap_or_default()
}
