//! One hot merchant: how fast its movements are folded, and how long its balance takes to read while they are not.
//! Prints JSON.
//!
//! The store that stands in for DynamoDB writes far slower than DynamoDB does, so the rate of a part on AWS is computed:
//! from the CPU time that the functions used here, from the CPU share that their memory gets on Lambda, and from the
//! waits of a fold, each as long as `STORE_MS`.
#![allow(clippy::unwrap_used, reason = "like the tests, it is never deployed")]

use std::fs;
use std::time::Instant;

use futures::future::join_all;
use serde_json::{Value, json};
use spillway_tests::{Merchant, Options, Stack, Template, event};

/// Shards of a part.
const SHARDS: usize = 4;
/// Movements of a full fold.
const FOLD: usize = 500;
/// A call of the store: "single-digit millisecond performance", says <https://aws.amazon.com/dynamodb/>.
const STORE_MS: usize = 5;
/// Memory that gets one core of Lambda, in MB.
const CORE_MB: usize = 1769;
const DIGITS: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";

#[tokio::main]
async fn main() {
    let number = |name: &str, or: usize| std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(or);
    let (unfolded, each, waits) = (number("UNFOLDED", 100_000), number("FOLDED", 5_000), number("WAITS", 3));
    let (get_mb, fold_mb) = (number("GET_MB", CORE_MB), number("FOLD_MB", CORE_MB));
    let template = Template::without_triggers().with(&["Globals", "Function", "Timeout"], "29");
    let stack = Stack::start(Options::new().template(template).knob("STORE_DEADLINE_MS", 9000).unkilled()).await;
    let merchant = stack.new_merchant_with(json!({"shards": 16 * SHARDS})).await;
    merchant.client.balance("USD").await;
    let mut made = 0;
    let mut figures = json!({});
    for parts in [1, 4, 16] {
        put(&stack, &merchant, parts, each * parts, &mut made).await;
        let (before, began) = (cpu_us(&stack, "fold-balance"), Instant::now());
        let folds: Vec<Value> = (0..parts).map(|part| event::sqs(&[message(&merchant, part)])).collect();
        join_all(folds.iter().map(|fold| stack.invoke("fold-balance", fold))).await;
        let took_ms = began.elapsed().as_millis();
        let cpu_us = cpu_us(&stack, "fold-balance").saturating_sub(before);
        let each_us = cpu_us / u64::try_from(each * parts).unwrap();
        let fold_us = usize::try_from(each_us).unwrap() * FOLD * CORE_MB / fold_mb + waits * STORE_MS * 1000;
        figures[format!("{parts} parts")] = json!({"movements": each * parts, "here_ms": took_ms, "cpu_us_each": each_us,
            "a_second_on_aws": parts * FOLD * 1_000_000 / fold_us});
    }
    put(&stack, &merchant, 16, unfolded, &mut made).await;
    let (before, began) = (cpu_us(&stack, "get-balance"), Instant::now());
    let answer = merchant.client.get("/balance").await;
    let took_ms = began.elapsed().as_millis();
    let cpu_ms = cpu_us(&stack, "get-balance").saturating_sub(before) / 1000;
    figures["balance"] = json!({"unfolded": unfolded, "status": answer.status.as_u16(), "here_ms": took_ms,
        "cpu_ms": cpu_ms, "cpu_ms_on_lambda": usize::try_from(cpu_ms).unwrap() * CORE_MB / get_mb});
    println!("{figures:#}");
}

fn message(merchant: &Merchant, part: usize) -> Value {
    match part {
        0 => event::balance_message(&merchant.id, "USD"),
        part => event::balance_part_message(&merchant.id, "USD", part),
    }
}

/// Puts movements of one minor unit each, spread evenly over the shards of these parts.
async fn put(stack: &Stack, merchant: &Merchant, parts: usize, count: usize, made: &mut usize) {
    let mut items = Vec::with_capacity(count);
    for _ in 0..count {
        let shard = *made % (parts * SHARDS);
        let shard_digits: String = [shard / 32, shard % 32].iter().map(|digit| char::from(DIGITS[*digit])).collect();
        items.push(json!({"pk": {"S": format!("{}#movements#{shard}", merchant.tenant())},
            "sk": {"S": format!("move#USD#2099-01-01#txn_0123456789{shard_digits}{made:0>14}")},
            "amount": {"N": "1"}, "source": {"S": "pay_7ccpzn4gffpza71gj3mr6qsffj"},
            "request_id": {"S": "3b1f6a0e-0000-4000-8000-000000000000"}, "schema": {"N": "1"}}));
        *made += 1;
    }
    stack.table().put_all(&items).await;
}

/// CPU time of all threads of a function's processes so far.
fn cpu_us(stack: &Stack, function: &str) -> u64 {
    let threads = stack.function_pids(function).into_iter();
    let threads = threads.flat_map(|pid| fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten());
    let on_core = threads.filter_map(|thread| {
        let text = fs::read_to_string(thread.path().join("schedstat")).ok()?;
        text.split_whitespace().next()?.parse::<u64>().ok()
    });
    on_core.sum::<u64>() / 1000
}
