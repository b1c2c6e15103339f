//! End to end: from a request at the gateway to its webhook at the receiver.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use spillway_tests::oracle::settled;
use spillway_tests::percentiles::Percentiles;
use spillway_tests::{Options, Stack};

use crate::load::{Seen, Shop};
use crate::plan::Plan;
use crate::show;

/// Interval of a client's payments at a modest rate.
const PACE: Duration = Duration::from_millis(100);
const WARM_UP: usize = 100;

/// Figures of clients that pay as fast as they can, and of clients at a modest rate.
pub async fn measure(plan: &Plan) -> Result<Value, String> {
    let stack = Stack::try_start(Options::new()).await?;
    eprintln!("end to end: warming up");
    let shop = Shop::open(&stack).await;
    let seen = shop.pay(4, WARM_UP, None).await;
    shop.settled(&seen).await;
    let mut paced = Vec::new();
    for clients in [1, 8] {
        paced.push(part(&stack, clients, clients * plan.paced_payments, Some(PACE)).await);
    }
    let mut full = Vec::new();
    for (clients, payments) in plan.payments {
        full.push(part(&stack, clients, payments, None).await);
    }
    Ok(json!({"paced": paced, "full": full}))
}

async fn part(stack: &Stack, clients: usize, payments: usize, pace: Option<Duration>) -> Value {
    let how = if pace.is_some() { "ten times a second each" } else { "as fast as they can" };
    eprintln!("end to end: {payments} payments of {clients} clients, {how}");
    let shop = Shop::open(stack).await;
    let began = Instant::now();
    let seen = shop.pay(clients, payments, pace).await;
    let accepted_us = show::micros(began.elapsed());
    let settled_all = shop.settled(&seen).await;
    let settled_us = show::micros(settled_all.last.saturating_duration_since(began));
    // The run fails if the oracle finds a fault in the books.
    settled(stack, &shop.merchant.tenant(), payments).await;
    json!({"clients": clients, "payments": payments, "refused": seen.refused, "lost": settled_all.lost,
        "post": show::percentiles(&posts(&seen)), "webhook": show::percentiles(&settled_all.webhooks),
        "accepted_per_second": per_second(payments, accepted_us), "settled_per_second": per_second(payments, settled_us)})
}

/// Durations of the requests.
pub fn posts(seen: &Seen) -> Percentiles {
    Percentiles::of(seen.accepted.iter().map(|payment| payment.took))
}

fn per_second(count: usize, us: u64) -> u64 {
    (u64::try_from(count).unwrap_or_default() * 1_000_000).checked_div(us).unwrap_or_default()
}
