//! The client's book: what was asked for, and what was answered. The client sends each request again, with the same
//! idempotency key, until the payment is accepted.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::client::{Answer, Client};
use crate::difference::differences;
use crate::workload::Order;

/// An order, and what the client knows of it.
#[derive(Debug, Clone)]
pub struct Sent {
    /// What was asked for.
    pub order: Order,
    /// How often it was sent.
    pub tries: u32,
    /// The first 202; none if none ever came.
    pub accepted: Option<Accepted>,
    /// What came last instead of an answer that stays, for people; none unless the client gave up.
    pub gave_up: Option<String>,
    /// What a client must never be answered, as sentences.
    pub oddities: Vec<String>,
}

/// A 202.
#[derive(Debug, Clone)]
pub struct Accepted {
    /// `pay_…`
    pub id: String,
    /// The answer's body.
    pub body: Value,
    /// When it was read.
    pub at: Instant,
    /// How long the answered try took.
    pub took: Duration,
}

/// All that the clients of one merchant know.
#[derive(Default)]
pub struct Book {
    pages: Mutex<Pages>,
}

#[derive(Default)]
struct Pages {
    sent: Vec<Sent>,
    /// The payments that were accepted, by id.
    accepted: BTreeSet<String>,
    /// By currency, what the merchant is owed at most: the net of all that was ever sent.
    promised: BTreeMap<&'static str, i64>,
    /// How often a request was sent again because no 202 had come.
    again: usize,
    /// How often a request was sent again after its 202.
    repeated: usize,
}

impl Book {
    /// Every order so far, without those that are under way.
    pub fn sent(&self) -> Vec<Sent> {
        self.pages.lock().unwrap().sent.clone()
    }

    /// The ids of the payments that were accepted so far.
    pub fn accepted(&self) -> BTreeSet<String> {
        self.pages.lock().unwrap().accepted.clone()
    }

    /// How many payments were accepted so far.
    pub fn count(&self) -> usize {
        self.pages.lock().unwrap().accepted.len()
    }

    /// How often requests were sent again because no 202 had come, and how often after it.
    pub fn repetitions(&self) -> (usize, usize) {
        let pages = self.pages.lock().unwrap();
        (pages.again, pages.repeated)
    }

    /// The net of all that was sent in this currency, accepted or not, in minor units.
    pub fn promised(&self, currency: &str) -> i64 {
        self.pages.lock().unwrap().promised.get(currency).copied().unwrap_or_default()
    }

    /// Sends an order until it is accepted or refused, but no longer than `patience`, and notes the answers. With
    /// `repeat` the accepted order is sent once more, and its answer must be the same.
    pub async fn place(&self, client: &Client, order: Order, patience: Duration, repeat: bool) {
        *self.pages.lock().unwrap().promised.entry(order.currency).or_default() += order.net();
        let request = client.payment_request(&order.key, &order.body());
        let mut sent = Sent { order, tries: 0, accepted: None, gave_up: None, oddities: Vec::new() };
        let until = Instant::now() + patience;
        loop {
            let served = request.send_patiently(until.saturating_duration_since(Instant::now())).await;
            let took = served.took;
            sent.tries += served.tries;
            let answer = match served.answer() {
                Ok(answer) => answer,
                Err(last) => {
                    sent.gave_up = Some(last);
                    break;
                }
            };
            if answer.status != 202 {
                sent.oddities.push(format!("{} was answered {}", sent.order.key, answer.described()));
                break;
            }
            if sent.accepted.is_some() {
                self.pages.lock().unwrap().repeated += 1;
                sent.compare(&answer);
                break;
            }
            let id = sent.accept(answer, took);
            self.pages.lock().unwrap().accepted.insert(id);
            if !repeat {
                break;
            }
        }
        let mut pages = self.pages.lock().unwrap();
        pages.again += usize::try_from(sent.tries.saturating_sub(1 + u32::from(repeat))).unwrap();
        pages.sent.push(sent);
    }
}

impl Sent {
    fn accept(&mut self, answer: Answer, took: Duration) -> String {
        let (key, body) = (&self.order.key, &answer.body);
        if self.tries == 1 && is_replay(&answer) {
            self.oddities.push(format!("{key} was sent for the first time and answered as a replay"));
        }
        let id = body["id"].as_str().unwrap_or_default().to_owned();
        let asked = json!({"amount": self.order.amount, "currency": self.order.currency, "status": "processing"});
        let told = json!({"amount": body["amount"], "currency": body["currency"], "status": body["status"]});
        if told != asked {
            self.oddities.push(format!("{key} was accepted as another payment: {}", differences(&told, &asked)));
        }
        self.accepted = Some(Accepted { id: id.clone(), body: answer.body, at: Instant::now(), took });
        id
    }

    /// Compares the answer to a repeated request with the first 202.
    fn compare(&mut self, answer: &Answer) {
        let first = self.accepted.as_ref().map_or(&Value::Null, |accepted| &accepted.body);
        if *first != answer.body {
            let differences = differences(&answer.body, first);
            self.oddities.push(format!("{} was repeated and answered otherwise: {differences}", self.order.key));
        }
        if !is_replay(answer) {
            self.oddities.push(format!("{} was repeated and not answered as a replay", self.order.key));
        }
    }
}

fn is_replay(answer: &Answer) -> bool {
    answer.header("idempotent-replayed") == "true"
}
