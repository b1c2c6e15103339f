//! Lists of a merchant with many shards: each reads every shard, also in a process that has just started.

use std::time::Instant;

use serde_json::{Value, json};
use spillway_tests::{Options, Stack, Template};

use crate::resources::cpu_us;

/// The measured numbers of shards; the last one is the largest that a merchant can have.
const SHARDS: [u64; 3] = [4, 64, 256];
/// Cold starts of each.
const TIMES: usize = 5;

/// The median of each number of shards: time of the answer and CPU time, cold and warm.
pub async fn measure() -> Result<Value, String> {
    eprintln!("shards: lists over {SHARDS:?}");
    let options = Options::new().template(Template::without_triggers()).unkilled();
    let stack = Stack::try_start(options).await?;
    let mut all = Vec::new();
    for shards in SHARDS {
        let merchant = stack.new_merchant_with(json!({"shards": shards})).await;
        merchant.client.pay(1250, "USD", "tok_visa").await;
        let (mut cold, mut warm) = (Vec::new(), Vec::new());
        for _ in 0..TIMES {
            stack.kill_function("list-payments").await;
            for times in [&mut cold, &mut warm] {
                let (before, began) = (cpu(&stack), Instant::now());
                merchant.client.get("/payments").await.expect(200);
                times.push((crate::show::micros(began.elapsed()), cpu(&stack) - before));
            }
        }
        let median = |mut times: Vec<(u64, u64)>| {
            times.sort_unstable();
            json!({"us": times[TIMES / 2].0, "cpu_us": times[TIMES / 2].1})
        };
        all.push(json!({"shards": shards, "cold": median(cold), "warm": median(warm)}));
    }
    Ok(json!(all))
}

fn cpu(stack: &Stack) -> u64 {
    stack.function_pids("list-payments").into_iter().map(cpu_us).sum()
}
