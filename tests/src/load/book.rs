//! The client's book: what was asked for, and what was answered. And how a client asks: again, with the same
//! idempotency key, until it is told that its payment was accepted.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::client::{Answer, Client};
use crate::workload::Order;

/// Before the same request is sent again.
const PAUSE: Duration = Duration::from_millis(150);
/// Answers after which a client asks again.
const AGAIN: [u16; 5] = [429, 500, 502, 503, 504];

/// An order, and what the client knows of it.
#[derive(Debug, Clone)]
pub struct Sent {
    /// What was asked for.
    pub order: Order,
    /// How often, until it was accepted.
    pub tries: u32,
    /// The first 202; none if none ever came.
    pub accepted: Option<Accepted>,
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
    /// How long the try took that it answered.
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
    /// How often a request was sent again for want of a 202.
    again: usize,
    /// How often one was repeated after its 202.
    repeated: usize,
}

impl Book {
    /// Every order so far, those that are under way left out.
    pub fn sent(&self) -> Vec<Sent> {
        self.pages.lock().unwrap().sent.clone()
    }

    /// The ids of the payments that were accepted so far.
    pub fn accepted(&self) -> BTreeSet<String> {
        self.pages.lock().unwrap().accepted.clone()
    }

    /// How many there are of them.
    pub fn count(&self) -> usize {
        self.pages.lock().unwrap().accepted.len()
    }

    /// How often requests were sent again for want of an answer, and repeated after it.
    pub fn repetitions(&self) -> (usize, usize) {
        let pages = self.pages.lock().unwrap();
        (pages.again, pages.repeated)
    }

    /// The net of all that was sent in this currency, accepted or not, in minor units.
    pub fn promised(&self, currency: &str) -> i64 {
        self.pages.lock().unwrap().promised.get(currency).copied().unwrap_or_default()
    }

    /// Sends an order until it is accepted, refused, or `patience` is at its end; notes what came. With `repeat` it is
    /// sent once more after that, and must be answered alike.
    pub async fn place(&self, client: &Client, order: Order, patience: Duration, repeat: bool) {
        *self.pages.lock().unwrap().promised.entry(order.currency).or_default() += order.net();
        let mut sent = Sent { order, tries: 0, accepted: None, oddities: Vec::new() };
        let until = Instant::now() + patience;
        while let Some((answer, took)) = ask(client, &sent.order, until, &mut sent.tries).await {
            if answer.status != 202 {
                let oddity = format!("{} was answered {} {}", sent.order.key, answer.status, answer.text);
                sent.oddities.push(oddity);
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

/// The answer to the first try that is none of those after which a client asks again, and how long that try took; none
/// if there was none until then.
async fn ask(client: &Client, order: &Order, until: Instant, tries: &mut u32) -> Option<(Answer, Duration)> {
    let request = client.payment_request(&order.key, &order.body());
    while Instant::now() < until {
        *tries += 1;
        let began = Instant::now();
        match request.try_send().await {
            Ok(answer) if !AGAIN.contains(&answer.status.as_u16()) => return Some((answer, began.elapsed())),
            _ => tokio::time::sleep(PAUSE).await,
        }
    }
    None
}

impl Sent {
    fn accept(&mut self, answer: Answer, took: Duration) -> String {
        let (key, body) = (&self.order.key, &answer.body);
        if self.tries == 1 && is_replay(&answer) {
            self.oddities.push(format!("{key} was sent for the first time and answered as a replay"));
        }
        let id = body["id"].as_str().unwrap_or_default().to_owned();
        let asked = (self.order.amount.into(), self.order.currency.into(), "processing".into());
        if (body["amount"].clone(), body["currency"].clone(), body["status"].clone()) != asked {
            self.oddities.push(format!("{key} was accepted as {}", answer.text));
        }
        self.accepted = Some(Accepted { id: id.clone(), body: answer.body, at: Instant::now(), took });
        id
    }

    /// Compares the answer to a repeated request with the first 202.
    fn compare(&mut self, answer: &Answer) {
        let first = self.accepted.as_ref().map(|accepted| &accepted.body);
        if first != Some(&answer.body) {
            self.oddities.push(format!("{} was answered {first:?}, then {}", self.order.key, answer.text));
        }
        if !is_replay(answer) {
            self.oddities.push(format!("{} was repeated and not answered as a replay", self.order.key));
        }
    }
}

fn is_replay(answer: &Answer) -> bool {
    answer.header("idempotent-replayed") == "true"
}
