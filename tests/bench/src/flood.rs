//! One merchant sends at three times its plan's rate: the effect on another merchant.

use std::time::{Duration, Instant};

use futures::future::join;
use serde_json::{Value, json};
use spillway_tests::percentiles::Percentiles;
use spillway_tests::{Client, Options, Stack, unique};
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval};

use crate::plan::Plan;
use crate::show;

/// The standard plan's requests a second: far below what two cores can serve. At the template's rate of 100 the test
/// would measure the lack of cores instead of the throttle.
const RATE: u32 = 20;
/// The other merchant's requests a second.
const OTHERS_RATE: u32 = 10;
/// Until every function that a payment needs is running.
const WARM_UP: Duration = Duration::from_secs(3);

/// Answers that a sender got.
#[derive(Default)]
struct Told {
    accepted: Vec<Duration>,
    refused: usize,
    /// Refusals without `Retry-After`.
    without_retry_after: usize,
}

/// The other merchant alone, beside one within its rate, and beside one at three times its rate.
pub async fn measure(plan: &Plan) -> Result<Value, String> {
    let options = Options::new().knob("STANDARD_PLAN_RATE", RATE).knob("STANDARD_PLAN_BURST", RATE * 2);
    let stack = Stack::try_start(options).await?;
    let standard = || async { stack.new_merchant_with(json!({"plan": "standard"})).await.client };
    let other = standard().await;
    steadily(&other, OTHERS_RATE, WARM_UP).await;
    eprintln!("flood: another merchant alone");
    let alone = steadily(&other, OTHERS_RATE, plan.flood).await;
    eprintln!("flood: another merchant beside one within its rate");
    let neighbour = standard().await;
    let (_, within) = join(steadily(&neighbour, RATE, plan.flood), steadily(&other, OTHERS_RATE, plan.flood)).await;
    eprintln!("flood: another merchant beside one at three times its rate");
    let flooding = standard().await;
    let (flood, beside) =
        join(steadily(&flooding, RATE * 3, plan.flood), steadily(&other, OTHERS_RATE, plan.flood)).await;
    let of = |told: &Told| {
        let mut figures = show::percentiles(&Percentiles::of(told.accepted.iter().copied()));
        figures["refused"] = json!(told.refused);
        figures
    };
    Ok(json!({"alone": of(&alone), "beside_one_within_its_rate": of(&within), "beside_the_flood": of(&beside),
        "flood": {"sent_per_second": RATE * 3, "accepted": flood.accepted.len(), "refused": flood.refused,
            "without_retry_after": flood.without_retry_after}}))
}

/// Sends payments at this rate without waiting for the answers.
async fn steadily(client: &Client, per_second: u32, how_long: Duration) -> Told {
    let mut ticks = interval(Duration::from_secs(1) / per_second);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Burst);
    let began = Instant::now();
    let mut sent = JoinSet::new();
    while began.elapsed() < how_long {
        ticks.tick().await;
        let client = client.clone();
        sent.spawn(async move { send(&client).await });
    }
    let mut told = Told::default();
    while let Some(answer) = sent.join_next().await {
        match answer.unwrap() {
            Ok(took) => told.accepted.push(took),
            Err(retry_after) => {
                told.refused += 1;
                told.without_retry_after += usize::from(!retry_after);
            }
        }
    }
    told
}

/// Duration of an accepted request; `Err` is a refusal, with whether it had `Retry-After`.
async fn send(client: &Client) -> Result<Duration, bool> {
    let payment = json!({"amount": 1250, "currency": "USD", "token": "tok_visa"});
    let began = Instant::now();
    let answer = client.create_payment(&unique(), &payment).await;
    match answer.status.as_u16() {
        202 => Ok(began.elapsed()),
        _ => Err(!answer.header("retry-after").is_empty()),
    }
}
