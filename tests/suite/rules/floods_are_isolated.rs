//! A merchant that sends three times its plan's rate is refused only the excess, and no other merchant is refused
//! anything.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use futures::future::join_all;
use serde_json::{Value, json};
use spillway_tests::oracle::settled;
use spillway_tests::{Answer, Client, Merchant, Options, Stack, unique};
use tokio::time::{MissedTickBehavior, interval};

/// Requests a second of the plan, and its burst.
const RATE: usize = 20;
const BURST: usize = 20;

/// Interval of the flood in milliseconds: at least three times the plan's rate.
const FLOOD_EVERY_MS: u64 = 1000 / (3 * RATE as u64);
/// Interval of the other merchant in milliseconds: half of its plan's rate.
const MODEST_EVERY_MS: u64 = 2 * 1000 / RATE as u64;

/// Number of the other merchant's requests; the flood lasts as long.
const MODEST: usize = 40;

fn payment() -> Value {
    json!({"amount": 1250, "currency": "USD", "token": "tok_visa"})
}

/// Sends payments without waiting for answers until `stop` is set; returns the answers, and the time from the first
/// request to the last answer.
async fn flood(client: &Client, stop: &AtomicBool) -> (Vec<Answer>, Duration) {
    let mut due = interval(Duration::from_millis(FLOOD_EVERY_MS));
    let (mut sent, began) = (Vec::new(), Instant::now());
    while !stop.load(Ordering::Relaxed) {
        due.tick().await;
        let client = client.clone();
        sent.push(tokio::spawn(async move { client.create_payment(&unique(), &payment()).await }));
    }
    let answers = join_all(sent).await.into_iter().map(Result::unwrap).collect();
    (answers, began.elapsed())
}

/// Creates one payment after another; each is accepted.
async fn modest(client: &Client, stop: &AtomicBool) {
    let mut due = interval(Duration::from_millis(MODEST_EVERY_MS));
    // No catching up: that would be a burst.
    due.set_missed_tick_behavior(MissedTickBehavior::Delay);
    for _ in 0..MODEST {
        due.tick().await;
        client.create_payment(&unique(), &payment()).await.expect(202);
    }
    stop.store(true, Ordering::Relaxed);
}

#[tokio::test]
async fn a_flood_of_one_merchant_refuses_none_of_another() {
    let plan = Options::new().knob("STANDARD_PLAN_RATE", RATE).knob("STANDARD_PLAN_BURST", BURST);
    // The stage has just enough room for both plans, so refusals of the flood must not use any of it.
    let options = plan.knob("STAGE_RATE", 2 * RATE).knob("STAGE_BURST", 2 * BURST + 20);
    let stack = Stack::start(options.knob("STORE_DEADLINE_MS", 9000)).await;
    let merchant = async || stack.new_merchant_with(json!({"plan": "standard"})).await;
    let (flooding, other): (Merchant, Merchant) = (merchant().await, merchant().await);
    let stop = AtomicBool::new(false);
    let ((answers, time), ()) = tokio::join!(flood(&flooding.client, &stop), modest(&other.client, &stop));

    let (accepted, refused): (Vec<_>, Vec<_>) = answers.into_iter().partition(|answer| answer.status == 202);
    // A full bucket, its refill, and one more for rounding.
    let most = BURST + RATE * usize::try_from(time.as_millis()).unwrap() / 1000 + 1;
    let shown = format!("{} accepted, {} refused in {} ms", accepted.len(), refused.len(), time.as_millis());
    assert!((BURST..=most).contains(&accepted.len()), "{shown}");
    assert!(!refused.is_empty(), "{shown}");
    for answer in refused {
        let answer = answer.expect_problem(429, "rate_limited");
        assert!(answer.header("retry-after").parse::<u32>().unwrap() >= 1);
    }
    // The books have each accepted payment, settled, and no refused one.
    let books = settled(&stack, &flooding.tenant(), accepted.len()).await;
    assert!(accepted.iter().all(|answer| books.payments.contains_key(answer.id())), "{shown}");
    settled(&stack, &other.tenant(), MODEST).await;
}
