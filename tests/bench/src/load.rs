//! Clients that pay through the gateway, and the results of their payments.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use futures::future::join_all;
use serde_json::json;
use spillway_tests::percentiles::Percentiles;
use spillway_tests::receiver::Receiver;
use spillway_tests::{Client, Merchant, Stack, unique};
use tokio::time::sleep;

/// Time without any webhook after which missing ones count as lost: longer than any wait before a second attempt.
const SILENCE: Duration = Duration::from_secs(150);
const LOOK_EVERY: Duration = Duration::from_millis(20);
/// Wait of a client after a 429 or 5xx.
const REFUSED_WAIT: Duration = Duration::from_millis(50);

/// A merchant with a receiver of its webhooks.
pub struct Shop {
    pub merchant: Merchant,
    receiver: Receiver,
}

/// An accepted payment.
pub struct Accepted {
    pub id: String,
    /// Duration of the accepted request.
    pub took: Duration,
    /// Time of the answer.
    pub at: Instant,
}

/// What clients saw.
#[derive(Default)]
pub struct Seen {
    pub accepted: Vec<Accepted>,
    /// Requests refused with 429 or 5xx.
    pub refused: usize,
}

/// Results of accepted payments.
pub struct Settled {
    /// From each answer to its webhook.
    pub webhooks: Percentiles,
    /// Accepted payments without a webhook.
    pub lost: usize,
    /// Arrival of the last webhook.
    pub last: Instant,
}

impl Shop {
    pub async fn open(stack: &Stack) -> Shop {
        let merchant = stack.new_merchant().await;
        let receiver = Receiver::start().await;
        merchant.client.create_webhook_endpoint(receiver.url(), &["payment.*"]).await;
        Shop { merchant, receiver }
    }

    /// `clients` clients create `payments` payments together. Each sends the next one after the answer, or with a pace
    /// no earlier than one pace after the one before.
    pub async fn pay(&self, clients: usize, payments: usize, pace: Option<Duration>) -> Seen {
        let share = |client: usize| payments / clients + usize::from(client < payments % clients);
        let all = join_all((0..clients).map(|client| pay(&self.merchant.client, share(client), pace))).await;
        all.into_iter().fold(Seen::default(), |mut sum, seen| {
            sum.accepted.extend(seen.accepted);
            sum.refused += seen.refused;
            sum
        })
    }

    /// Waits for the webhook of every accepted payment, until no more arrive.
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

/// One payment; `None` if the same request must be repeated later.
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
