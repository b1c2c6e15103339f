//! Resources of a payment from its creation to its webhook, function by function: everything that AWS bills.
//!
//! No trigger runs in this stack: the walk plays Lambda's pollers, so each call has a known cause. Store and queue
//! calls take as long as AWS's, because Lambda bills the waits of an invocation.

pub mod memory;
mod meter;
mod queue_proxy;
mod sizes;
mod walk;

use std::time::Duration;

use serde_json::Value;
use spillway_bench::cost::figures::{Figures, Measured, Used};
use spillway_tests::{Merchant, Options, Template, event};

use crate::events;
use crate::plan::Plan;
use meter::Scene;
pub use meter::cpu_us;
use walk::Batches;

/// A call of the store: "single-digit millisecond performance", says <https://aws.amazon.com/dynamodb/>.
pub const STORE: Duration = Duration::from_millis(5);
/// A send to a queue. An assumption: AWS publishes no figure, users report less than this.
pub const QUEUE: Duration = Duration::from_millis(10);
/// Number of repetitions of a request.
const TIMES: usize = 10;

/// Measures it all.
pub async fn measure(plan: &Plan) -> Result<Figures, String> {
    eprintln!("resources: {} payments one by one, then {} together", plan.alone, plan.folded);
    let mut scene = Scene::set(Options::new().template(Template::without_triggers())).await?;
    scene.walk(1, Batches::OfOne).await?;
    let mut alone = Measured::default();
    for _ in 0..plan.alone {
        alone += scene.walk(1, Batches::OfOne).await?;
    }
    alone += scene.fold_the_rest().await?;
    eprintln!("resources: other requests");
    let requests = requests(&scene).await?;
    // The first walk starts the processes.
    scene.walk(plan.folded, Batches::Full).await?;
    scene.fold_the_rest().await?;
    let [kept_before, expiring_before] = scene.stored_bytes().await;
    let mut together = scene.walk(plan.folded, Batches::Full).await?;
    together += scene.fold_the_rest().await?;
    let [kept, expiring] = scene.stored_bytes().await;
    let (kept_bytes, expiring_bytes) = (kept.saturating_sub(kept_before), expiring.saturating_sub(expiring_before));
    let millis = |duration: Duration| u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
    let requests = requests.into_iter().map(|(function, measured)| (function.to_owned(), measured)).collect();
    let (store_ms, queue_ms) = (millis(STORE), millis(QUEUE));
    Ok(Figures { store_ms, queue_ms, alone, together, kept_bytes, expiring_bytes, requests })
}

/// Everything else: client requests, the authorizer, and the schedule without due work.
async fn requests(scene: &Scene) -> Result<Vec<(&'static str, Measured)>, String> {
    let gets = [
        ("get-payment", format!("/payments/{}", scene.last_payment)),
        ("list-payments", "/payments".to_owned()),
        ("get-balance", "/balance".to_owned()),
    ];
    let mut all = Vec::new();
    for (function, path) in gets {
        // The first request may start a process.
        scene.get(&path).await;
        let got = scene.metered(function, TIMES, async || {
            let mut bytes = 0;
            for _ in 0..TIMES {
                bytes += scene.get(&path).await;
            }
            bytes
        });
        let (bytes_out, used) = got.await?;
        all.push(measured(function, Used { bytes_out, ..used }));
    }
    // Each request has a new key, because gateway and function cache known ones.
    let mut merchants: Vec<Merchant> = Vec::new();
    for _ in 0..=TIMES {
        merchants.push(scene.stack.new_merchant().await);
    }
    let asked: Vec<Value> = merchants.iter().map(events::authenticate).collect();
    all.push(measured("authenticate", invoked(scene, "authenticate", &asked).await?));
    let ticks = vec![event::tick(); TIMES + 1];
    all.push(measured("enqueue-due", invoked(scene, "enqueue-due", &ticks).await?));
    Ok(all)
}

/// Resources of a function for all these events except the first, which may start a process.
async fn invoked(scene: &Scene, function: &'static str, events: &[Value]) -> Result<Used, String> {
    let invoke = async |event: &Value| {
        let answer = scene.stack.invoke(function, event).await;
        answer.map(drop).map_err(|error| format!("{function}: {error}"))
    };
    let Some((first, others)) = events.split_first() else { return Ok(Used::default()) };
    invoke(first).await?;
    let all = scene.metered(function, others.len(), async || {
        for event in others {
            invoke(event).await?;
        }
        Ok::<(), String>(())
    });
    let (done, used) = all.await?;
    done.map(|()| used)
}

fn measured(function: &'static str, used: Used) -> (&'static str, Measured) {
    let count = u64::try_from(TIMES).unwrap_or_default();
    (function, Measured { count, functions: [(function.to_owned(), used)].into() })
}
