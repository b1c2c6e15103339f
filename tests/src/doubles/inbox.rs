//! The merchants' servers: they take webhooks, keep what came, and answer well or badly.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use hyper::body::Bytes;
use hyper::header::RETRY_AFTER;
use hyper::{HeaderMap, Request, Response};
use serde_json::Value;
use standardwebhooks::Webhook;

use crate::difference::differences;
use crate::server::{Answered, Closed, Server};
use crate::terms::expected_fee;

/// One event as it came to its merchant, however often.
#[derive(Debug, Clone)]
pub struct Received {
    /// When it came for the first time.
    pub first_at: Instant,
    /// How often it came.
    pub attempts: usize,
    /// Whether it was ever answered with 2xx.
    pub acknowledged: bool,
    /// What was wrong with an attempt, as sentences.
    pub faults: Vec<String>,
    text: Bytes,
}

impl Received {
    /// What was posted, as JSON; null when it is none.
    pub fn body(&self) -> Value {
        read(&self.text)
    }

    /// As if another body had been posted: to see that this is noticed.
    pub fn with_body(&self, body: &Value) -> Received {
        Received { text: body.to_string().into(), ..self.clone() }
    }
}

/// That an event of this type tells of this object: (`pay_…`, `payment.succeeded`).
pub type Told = (String, String);

/// What the body of a webhook tells of what.
pub fn told_by(body: &Value) -> Told {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    (text(&body["data"]["id"]), text(&body["type"]))
}

/// The events of one merchant by `webhook-id`.
pub type Webhooks = BTreeMap<String, Received>;

/// How the servers answered badly, and how often.
pub type Faults = BTreeMap<&'static str, usize>;

#[derive(Default)]
struct Merchant {
    secret: String,
    webhooks: Webhooks,
    /// Objects of which an event came.
    known: BTreeSet<String>,
    /// What was acknowledged.
    acknowledged: BTreeSet<Told>,
    /// By currency, the net of all payments that succeeded as the webhooks say, in minor units.
    earned: BTreeMap<String, i64>,
}

struct Shared {
    merchants: Mutex<Vec<Merchant>>,
    failing: AtomicBool,
    faults: Mutex<Faults>,
    random: Mutex<fastrand::Rng>,
}

/// The servers of all merchants of a run, on loopback. They end when this is dropped.
pub struct Inbox {
    server: Server,
    shared: Arc<Shared>,
}

impl Inbox {
    /// Servers that answer 200, until they are told to fail; `Err` is why there is no port.
    pub async fn start(seed: u64) -> io::Result<Inbox> {
        let random = Mutex::new(fastrand::Rng::with_seed(seed));
        let shared = Shared { merchants: Mutex::default(), failing: false.into(), faults: Mutex::default(), random };
        let shared = Arc::new(shared);
        let of_server = Arc::clone(&shared);
        let server = Server::start(move |request| receive(Arc::clone(&of_server), request)).await?;
        Ok(Inbox { server, shared })
    }

    /// Makes room for another merchant; gives its number.
    pub fn add_merchant(&self) -> usize {
        let mut merchants = self.shared.merchants.lock().unwrap();
        merchants.push(Merchant::default());
        merchants.len() - 1
    }

    /// Where the merchant's webhooks are to be posted.
    pub fn url(&self, merchant: usize) -> String {
        format!("{}/hook/{merchant}", self.server.url())
    }

    /// What signs the merchant's webhooks from now on.
    pub fn set_secret(&self, merchant: usize, secret: &str) {
        secret.clone_into(&mut self.shared.merchants.lock().unwrap()[merchant].secret);
    }

    /// From now on one answer in four is bad, an error, late, or none; or no more.
    pub fn set_failing(&self, failing: bool) {
        self.shared.failing.store(failing, Ordering::Relaxed);
    }

    /// How the servers answered badly so far.
    pub fn faults(&self) -> Faults {
        self.shared.faults.lock().unwrap().clone()
    }

    /// What came to the merchant.
    pub fn webhooks(&self, merchant: usize) -> Webhooks {
        self.shared.merchants.lock().unwrap()[merchant].webhooks.clone()
    }

    /// How many events came to all merchants, how often they came, and how many were acknowledged.
    pub fn counts(&self) -> (usize, usize, usize) {
        let merchants = self.shared.merchants.lock().unwrap();
        let attempts = |merchant: &Merchant| merchant.webhooks.values().map(|told| told.attempts).sum::<usize>();
        (
            merchants.iter().map(|merchant| merchant.webhooks.len()).sum(),
            merchants.iter().map(attempts).sum(),
            merchants.iter().map(|merchant| merchant.acknowledged.len()).sum(),
        )
    }

    /// Of the events that the merchant has to be told, those that were not acknowledged.
    pub fn missing<Since>(&self, merchant: usize, mut to_be_told: BTreeMap<Told, Since>) -> BTreeMap<Told, Since> {
        let merchants = self.shared.merchants.lock().unwrap();
        to_be_told.retain(|told, _| !merchants[merchant].acknowledged.contains(told));
        to_be_told
    }

    /// Whether any event of this object came to the merchant.
    pub fn knows(&self, merchant: usize, object: &str) -> bool {
        self.shared.merchants.lock().unwrap()[merchant].known.contains(object)
    }

    /// What the merchant has earned in this currency as the webhooks so far say, in minor units.
    pub fn earned(&self, merchant: usize, currency: &str) -> i64 {
        self.shared.merchants.lock().unwrap()[merchant].earned.get(currency).copied().unwrap_or_default()
    }
}

/// How an attempt is answered.
enum Reply {
    Status(u16),
    Late(Duration),
    Close,
}

async fn receive(shared: Arc<Shared>, request: Request<Bytes>) -> Answered {
    let (head, body) = request.into_parts();
    let number = head.uri.path().rsplit('/').next().and_then(|number| number.parse::<usize>().ok());
    let id = head.headers.get("webhook-id").and_then(|id| id.to_str().ok()).unwrap_or("no id").to_owned();
    let Some(number) = number.filter(|number| shared.note(*number, &id, &head.headers, body)) else {
        return answer(404);
    };
    let status = match shared.reply() {
        Reply::Status(status) => status,
        Reply::Close => return Err(Closed),
        Reply::Late(by) => {
            // Who gives up before closes the connection, and this ends here.
            tokio::time::sleep(by).await;
            200
        }
    };
    if status < 300 {
        shared.acknowledge(number, &id);
    }
    answer(status)
}

fn read(text: &[u8]) -> Value {
    serde_json::from_slice(text).unwrap_or_default()
}

fn answer(status: u16) -> Answered {
    let response = Response::builder().status(status);
    let response = if status == 503 { response.header(RETRY_AFTER, "1") } else { response };
    Ok(response.body(Default::default()).unwrap())
}

impl Shared {
    /// Writes the attempt down; false if there is no such merchant.
    fn note(&self, number: usize, id: &str, headers: &HeaderMap, text: Bytes) -> bool {
        let mut merchants = self.merchants.lock().unwrap();
        let Some(merchant) = merchants.get_mut(number) else { return false };
        let verified = Webhook::new(&merchant.secret).and_then(|webhook| webhook.verify(&text, headers));
        let told = merchant.webhooks.entry(id.to_owned()).or_insert_with(|| {
            let body = read(&text);
            merchant.known.insert(body["data"]["id"].as_str().unwrap_or_default().to_owned());
            if let ("payment.succeeded", Some(amount), Some(currency)) = (
                body["type"].as_str().unwrap_or_default(),
                body["data"]["amount"].as_i64(),
                body["data"]["currency"].as_str(),
            ) {
                *merchant.earned.entry(currency.to_owned()).or_default() += amount - expected_fee(amount);
            }
            let first_at = Instant::now();
            Received { first_at, attempts: 0, acknowledged: false, faults: Vec::new(), text: text.clone() }
        });
        told.attempts += 1;
        if let Err(error) = verified {
            told.faults.push(format!("its signature is wrong: {error}"));
        }
        if told.text != text {
            let differences = differences(&read(&text), &told.body());
            told.faults.push(format!("its body is not always the same: {differences}"));
        }
        true
    }

    fn acknowledge(&self, number: usize, id: &str) {
        let mut merchants = self.merchants.lock().unwrap();
        let merchant = &mut merchants[number];
        if let Some(told) = merchant.webhooks.get_mut(id) {
            told.acknowledged = true;
            merchant.acknowledged.insert(told_by(&told.body()));
        }
    }

    fn reply(&self) -> Reply {
        if !self.failing.load(Ordering::Relaxed) {
            return Reply::Status(200);
        }
        let mut random = self.random.lock().unwrap();
        let (fault, reply) = match random.u8(0..100) {
            0..8 => ("webhook receiver answered 500", Reply::Status(500)),
            8..15 => ("webhook receiver answered 503", Reply::Status(503)),
            15..20 => ("webhook receiver answered late", Reply::Late(Duration::from_millis(random.u64(200..2_000)))),
            20..25 => ("webhook receiver hung up", Reply::Close),
            _ => return Reply::Status(200),
        };
        *self.faults.lock().unwrap().entry(fault).or_default() += 1;
        reply
    }
}
