//! Reads of final refunds by get-refund, with the cache in each of its states. The states take turns, so that other load
//! on the machine affects all of them equally.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Value, json};
use spillway_local::Single;
use spillway_tests::cache::Cache;
use spillway_tests::percentiles::Percentiles;
use spillway_tests::{Deadline, Merchant, Options, Stack, eventually, unique};

use crate::plan::Plan;
use crate::single::{self, binary};
use crate::{events, show};

const FUNCTION: &str = "get-refund";
/// Refunds that are read.
const REFUNDS: usize = 20;
/// Reads after a start before the cache gets into its state: of each refund two, because the first one connects.
const FIRST_READS: usize = 2 * REFUNDS;

/// The states of the cache, and the name of each in the figures.
#[derive(Debug, Clone, Copy, PartialEq)]
enum State {
    Absent,
    Warm,
    /// Emptied before each read.
    Cold,
    Dead,
    /// It accepts questions and never answers.
    Stopped,
}

const STATES: [(State, &str); 5] = [
    (State::Absent, "absent"),
    (State::Warm, "warm"),
    (State::Cold, "cold"),
    (State::Dead, "dead"),
    (State::Stopped, "stopped"),
];

/// Durations of reads, and the number of reads that the cache answered, by state.
pub async fn measure(plan: &Plan) -> Result<Value, String> {
    let stack = Stack::try_start(Options::new()).await?;
    let merchant = stack.new_merchant().await;
    let refunds = refunds(&merchant).await;
    let environment = single::environment(&stack);
    let mut all: BTreeMap<&str, (Vec<Duration>, u64)> = BTreeMap::new();
    // The first round is not counted: it loads the program into the page cache.
    for round in 0..=plan.cached_rounds {
        eprintln!("reads through the cache: round {round} of {}", plan.cached_rounds);
        for (state, name) in STATES {
            let read = read(state, &environment, &merchant, &refunds, plan.cached).await?;
            if round > 0 {
                let sum = all.entry(name).or_default();
                sum.0.extend(read.0);
                sum.1 += read.1;
            }
        }
    }
    let figures = all.into_iter().map(|(name, (took, hits))| {
        let mut figures = show::percentiles(&Percentiles::of(took));
        figures["hits"] = json!(hits);
        (name.to_owned(), figures)
    });
    Ok(figures.collect())
}

/// Final refunds of the merchant.
async fn refunds(merchant: &Merchant) -> Vec<String> {
    let client = &merchant.client;
    let mut ids = Vec::new();
    let payment = client.paid(100_000, "USD").await;
    for _ in 0..REFUNDS {
        let request = client.refund_request(payment["id"].as_str().unwrap(), &unique(), 1_000);
        ids.push(request.send().await.expect(202).id().to_owned());
    }
    for id in &ids {
        eventually("the refund is final", Deadline::LATER, async || {
            let refund = client.get(&format!("/refunds/{id}")).await.expect(200).body;
            if refund["status"] == "pending" { Err(refund.to_string()) } else { Ok(()) }
        })
        .await;
    }
    ids
}

/// The durations of `count` reads by one process, and how many of them the cache answered.
async fn read(
    state: State, environment: &BTreeMap<String, String>, merchant: &Merchant, refunds: &[String], count: usize,
) -> Result<(Vec<Duration>, u64), String> {
    let mut cache = Cache::start().await;
    let mut environment = environment.clone();
    if state != State::Absent {
        environment.insert("CACHE_URL".to_owned(), cache.url());
    }
    let function = Single::start(&binary(FUNCTION), environment, None).await?;
    let (mut took, mut before) = (Vec::new(), 0);
    for number in 0..FIRST_READS + count {
        if number == FIRST_READS {
            before = cache.hits().await;
            match state {
                State::Dead => cache.kill(),
                State::Stopped => cache.stop(),
                State::Absent | State::Warm | State::Cold => {}
            }
        }
        if state == State::Cold {
            cache.command("FLUSHALL").await;
        }
        let event = events::get_refund(merchant, &refunds[number % refunds.len()]);
        let (answer, duration) = function.invoke(event.to_string().into_bytes()).await?;
        let answer: Value = serde_json::from_slice(&answer).unwrap_or_default();
        if answer["statusCode"] != 200 {
            return Err(format!("{FUNCTION} answered {answer}"));
        }
        if number >= FIRST_READS {
            took.push(duration);
        }
    }
    function.end().await;
    let has_ended = matches!(state, State::Dead | State::Stopped);
    let hits = if has_ended { 0 } else { cache.hits().await - before };
    Ok((took, hits))
}
