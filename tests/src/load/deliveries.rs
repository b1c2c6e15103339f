//! Webhook deliveries of a load run, as the merchants' receivers got them. The receivers answer well, or fail on demand.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::difference::differences;
use crate::receiver::{self, Attempt, Reply};
use crate::server::Server;
use crate::terms::expected_fee;

/// Interval at which a hanging receiver looks for another manner.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// One event as its merchant received it, with all attempts.
#[derive(Debug, Clone)]
pub struct ReceivedEvent {
    /// Arrival of the first attempt.
    pub first_at: Instant,
    /// Number of attempts.
    pub attempts: usize,
    /// Whether an attempt was answered with 2xx.
    pub acknowledged: bool,
    /// What was wrong with attempts, as sentences.
    pub faults: Vec<String>,
    text: Vec<u8>,
}

impl ReceivedEvent {
    /// The body as JSON; null if it is not JSON.
    pub fn body(&self) -> Value {
        read(&self.text)
    }

    /// A copy with another body, to see that the oracle notices it.
    pub fn with_body(&self, body: &Value) -> ReceivedEvent {
        ReceivedEvent { text: body.to_string().into(), ..self.clone() }
    }
}

/// Object and type of an event: (`pay_…`, `payment.succeeded`).
pub type EventRef = (String, String);

/// Object and type in the body of a webhook.
pub fn event_ref(body: &Value) -> EventRef {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    (text(&body["data"]["id"]), text(&body["type"]))
}

/// The events of one merchant by `webhook-id`.
pub type Webhooks = BTreeMap<String, ReceivedEvent>;

/// How often the receivers failed, by kind.
pub type Faults = BTreeMap<&'static str, usize>;

/// How a merchant's receiver answers.
#[derive(Debug, Clone, Copy, Default)]
pub enum Manner {
    /// At once.
    #[default]
    AtOnce,
    /// After this time.
    After(Duration),
    /// Once it has another manner.
    Hanging,
}

#[derive(Default)]
struct Merchant {
    secret: String,
    manner: Manner,
    webhooks: Webhooks,
    /// Objects with at least one received event.
    objects: BTreeSet<String>,
    acknowledged: BTreeSet<EventRef>,
    /// Net of all payments that succeeded according to the webhooks, in minor units by currency.
    earned: BTreeMap<String, i64>,
}

struct Shared {
    merchants: Mutex<Vec<Merchant>>,
    failing: AtomicBool,
    faults: Mutex<Faults>,
    random: Mutex<fastrand::Rng>,
}

/// The receivers of all merchants of a run, on loopback. Dropping it ends them.
pub struct Deliveries {
    server: Server,
    shared: Arc<Shared>,
}

impl Deliveries {
    /// Starts receivers that answer 200 until [`Deliveries::set_failing`]; `Err` if there is no free port.
    pub async fn start(seed: u64) -> io::Result<Deliveries> {
        let random = Mutex::new(fastrand::Rng::with_seed(seed));
        let shared = Shared { merchants: Mutex::default(), failing: false.into(), faults: Mutex::default(), random };
        let shared = Arc::new(shared);
        let of_server = Arc::clone(&shared);
        let server = receiver::serve(move |attempt| receive(Arc::clone(&of_server), attempt)).await?;
        Ok(Deliveries { server, shared })
    }

    /// Adds a merchant; returns its number.
    pub fn add_merchant(&self) -> usize {
        let mut merchants = self.shared.merchants.lock().unwrap();
        merchants.push(Merchant::default());
        merchants.len() - 1
    }

    /// URL of the merchant's receiver.
    pub fn url(&self, merchant: usize) -> String {
        format!("{}/hook/{merchant}", self.server.url())
    }

    /// Sets the secret that signs the merchant's webhooks from now on.
    pub fn set_secret(&self, merchant: usize, secret: &str) {
        secret.clone_into(&mut self.shared.merchants.lock().unwrap()[merchant].secret);
    }

    /// Sets how the merchant's receiver answers from now on.
    pub fn set_manner(&self, merchant: usize, manner: Manner) {
        self.shared.merchants.lock().unwrap()[merchant].manner = manner;
    }

    /// While set, one reply in four is an error, late, or a closed connection.
    pub fn set_failing(&self, failing: bool) {
        self.shared.failing.store(failing, Ordering::Relaxed);
    }

    /// How often the receivers failed so far.
    pub fn faults(&self) -> Faults {
        self.shared.faults.lock().unwrap().clone()
    }

    /// The events that the merchant received.
    pub fn webhooks(&self, merchant: usize) -> Webhooks {
        self.shared.merchants.lock().unwrap()[merchant].webhooks.clone()
    }

    /// Events, attempts and acknowledged events of all merchants.
    pub fn counts(&self) -> (usize, usize, usize) {
        let merchants = self.shared.merchants.lock().unwrap();
        let attempts = |merchant: &Merchant| merchant.webhooks.values().map(|event| event.attempts).sum::<usize>();
        (
            merchants.iter().map(|merchant| merchant.webhooks.len()).sum(),
            merchants.iter().map(attempts).sum(),
            merchants.iter().map(|merchant| merchant.acknowledged.len()).sum(),
        )
    }

    /// Those of the `expected` events that the merchant has not acknowledged.
    pub fn missing<Since>(
        &self, merchant: usize, mut expected: BTreeMap<EventRef, Since>,
    ) -> BTreeMap<EventRef, Since> {
        let merchants = self.shared.merchants.lock().unwrap();
        expected.retain(|event, _| !merchants[merchant].acknowledged.contains(event));
        expected
    }

    /// Whether the merchant received an event of this object.
    pub fn has_event_of(&self, merchant: usize, object: &str) -> bool {
        self.shared.merchants.lock().unwrap()[merchant].objects.contains(object)
    }

    /// What the merchant has earned in this currency according to the webhooks so far, in minor units.
    pub fn earned(&self, merchant: usize, currency: &str) -> i64 {
        self.shared.merchants.lock().unwrap()[merchant].earned.get(currency).copied().unwrap_or_default()
    }
}

async fn receive(shared: Arc<Shared>, attempt: Attempt) -> Reply {
    let number = attempt.path.rsplit('/').next().and_then(|number| number.parse::<usize>().ok());
    let id = attempt.headers.get("webhook-id").and_then(|id| id.to_str().ok()).unwrap_or("no id").to_owned();
    let Some(number) = number.filter(|number| shared.record(*number, &id, attempt)) else {
        return Reply::Status(404);
    };
    let (delay, reply) = shared.reply();
    // A sender that gives up meanwhile closes the connection, which ends this task.
    tokio::time::sleep(delay).await;
    loop {
        match shared.manner(number) {
            Manner::AtOnce => break,
            Manner::After(wait) => break tokio::time::sleep(wait).await,
            Manner::Hanging => tokio::time::sleep(LOOK_EVERY).await,
        }
    }
    if let Reply::Status(200) = reply {
        shared.acknowledge(number, &id);
    }
    reply
}

fn read(text: &[u8]) -> Value {
    serde_json::from_slice(text).unwrap_or_default()
}

impl Shared {
    /// Records the attempt; false if there is no such merchant.
    fn record(&self, number: usize, id: &str, attempt: Attempt) -> bool {
        let mut merchants = self.merchants.lock().unwrap();
        let Some(merchant) = merchants.get_mut(number) else { return false };
        let verified = attempt.verify(&merchant.secret);
        let text = attempt.body;
        let event = merchant.webhooks.entry(id.to_owned()).or_insert_with(|| {
            let body = read(&text);
            merchant.objects.insert(body["data"]["id"].as_str().unwrap_or_default().to_owned());
            if let ("payment.succeeded", Some(amount), Some(currency)) = (
                body["type"].as_str().unwrap_or_default(),
                body["data"]["amount"].as_i64(),
                body["data"]["currency"].as_str(),
            ) {
                *merchant.earned.entry(currency.to_owned()).or_default() += amount - expected_fee(amount);
            }
            let (first_at, faults) = (attempt.at, Vec::new());
            ReceivedEvent { first_at, attempts: 0, acknowledged: false, faults, text: text.clone() }
        });
        event.attempts += 1;
        if let Err(error) = verified {
            event.faults.push(format!("its signature is wrong: {error}"));
        }
        if event.text != text {
            let differences = differences(&read(&text), &event.body());
            event.faults.push(format!("its body is not always the same: {differences}"));
        }
        true
    }

    fn acknowledge(&self, number: usize, id: &str) {
        let mut merchants = self.merchants.lock().unwrap();
        let merchant = &mut merchants[number];
        if let Some(event) = merchant.webhooks.get_mut(id) {
            event.acknowledged = true;
            merchant.acknowledged.insert(event_ref(&event.body()));
        }
    }

    fn manner(&self, number: usize) -> Manner {
        self.merchants.lock().unwrap()[number].manner
    }

    /// The next reply, and its delay.
    fn reply(&self) -> (Duration, Reply) {
        let at_once = Duration::ZERO;
        if !self.failing.load(Ordering::Relaxed) {
            return (at_once, Reply::Status(200));
        }
        let mut random = self.random.lock().unwrap();
        let (fault, delay, reply) = match random.u8(0..100) {
            0..8 => ("webhook receiver answered 500", at_once, Reply::Status(500)),
            8..15 => ("webhook receiver answered 503", at_once, Reply::RetryAfter(503, 1)),
            15..20 => {
                ("webhook receiver answered late", Duration::from_millis(random.u64(200..2_000)), Reply::Status(200))
            }
            20..25 => ("webhook receiver hung up", at_once, Reply::Close),
            _ => return (at_once, Reply::Status(200)),
        };
        *self.faults.lock().unwrap().entry(fault).or_default() += 1;
        (delay, reply)
    }
}
