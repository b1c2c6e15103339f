//! Clients that pay through the gateway, and what became of what was accepted.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use futures::future::join_all;
use serde_json::json;
use spillway_tests::percentiles::Percentiles;
use spillway_tests::receiver::Receiver;
use spillway_tests::{Client, Merchant, Stack, unique};
use tokio::time::sleep;

/// How long nothing may arrive until what is missing counts as lost: longer than any wait before a second attempt.
const SILENCE: Duration = Duration::from_secs(150);
const LOOK_EVERY: Duration = Duration::from_millis(20);
/// How long a client waits when told 429 or 5xx.
const REFUSED_WAIT: Duration = Duration::from_millis(50);

/// A merchant with a server that takes its webhooks.
pub struct Shop {
    pub merchant: Merchant,
    receiver: Receiver,
}

/// An accepted payment.
pub struct Accepted {
    pub id: String,
    /// How long the request took that was accepted.
    pub took: Duration,
    /// When its answer was there.
    pub at: Instant,
}

/// What clients saw.
#[derive(Default)]
pub struct Seen {
    pub accepted: Vec<Accepted>,
    /// Requests that were told to come later.
    pub refused: usize,
}

/// What came of accepted payments.
pub struct Settled {
    /// From each answer to its webhook.
    pub webhooks: Percentiles,
    /// Accepted, but no webhook came.
    pub lost: usize,
    /// When the last webhook came.
    pub last: Instant,
}

impl Shop {
    pub async fn open(stack: &Stack) -> Shop {
        let merchant = stack.new_merchant().await;
        let receiver = Receiver::start().await;
        merchant.client.create_webhook_endpoint(receiver.url(), &["payment.*"]).await;
        Shop { merchant, receiver }
    }

    /// So many clients make so many payments together, each the next one when it has its answer, or, with a pace, no
    /// sooner than that after the one before.
    pub async fn pay(&self, clients: usize, payments: usize, pace: Option<Duration>) -> Seen {
        let share = |client: usize| payments / clients + usize::from(client < payments % clients);
        let all = join_all((0..clients).map(|client| pay(&self.merchant.client, share(client), pace))).await;
        all.into_iter().fold(Seen::default(), |mut sum, seen| {
            sum.accepted.extend(seen.accepted);
            sum.refused += seen.refused;
            sum
        })
    }

    /// Waits until every accepted payment's webhook has come, or nothing comes any more.
    pub async fn settled(&self, seen: &Seen) -> Settled {
        let (mut count, mut since) = (self.receiver.count(), Instant::now());
        while count < seen.accepted.len() && since.elapsed() < SILENCE {
            sleep(LOOK_EVERY).await;
            let now = self.receiver.count();
            if now > count {
                (count, since) = (now, Instant::now());
            }
        }
        let attempts = self.receiver.attempts();
        let mut arrived: BTreeMap<String, Instant> = BTreeMap::new();
        for attempt in &attempts {
            let id = attempt.json()["data"]["id"].as_str().unwrap_or_default().to_owned();
            arrived.entry(id).or_insert(attempt.at);
        }
        let waits = seen.accepted.iter().filter_map(|payment| {
            let at = arrived.get(&payment.id)?;
            Some(at.saturating_duration_since(payment.at))
        });
        let webhooks = Percentiles::of(waits);
        let lost = seen.accepted.len() - webhooks.count();
        let last = attempts.iter().map(|attempt| attempt.at).max().unwrap_or_else(Instant::now);
        Settled { webhooks, lost, last }
    }
}

async fn pay(client: &Client, payments: usize, pace: Option<Duration>) -> Seen {
    let mut seen = Seen::default();
    for _ in 0..payments {
        let (began, key) = (Instant::now(), unique());
        let accepted = loop {
            match pay_once(client, &key).await {
                Some(accepted) => break accepted,
                None => {
                    seen.refused += 1;
                    sleep(REFUSED_WAIT).await;
                }
            }
        };
        seen.accepted.push(accepted);
        if let Some(pace) = pace {
            sleep(pace.saturating_sub(began.elapsed())).await;
        }
    }
    seen
}

/// One payment; none where the same request is to be sent again later.
async fn pay_once(client: &Client, key: &str) -> Option<Accepted> {
    let payment = json!({"amount": 1250, "currency": "USD", "token": "tok_visa"});
    let request = client.payment_request(key, &payment);
    let began = Instant::now();
    let answer = request.send().await;
    let (took, at) = (began.elapsed(), Instant::now());
    if answer.status == 429 || answer.status.is_server_error() {
        return None;
    }
    let id = answer.expect(202).id().to_owned();
    Some(Accepted { id, took, at })
}
