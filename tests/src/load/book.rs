//! The client's book: what was asked for, and what was answered. The client sends each request again, with the same
//! idempotency key, until it is accepted or refused for good.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use futures::future::join_all;
use serde_json::Value;

use crate::asked::Asked;
use crate::client::{Answer, Client, Served};
use crate::difference::differences;
use crate::inbox::Told;
use crate::refunds::Refund;
use crate::workload::Order;

/// Whether a request is sent again under its key although it was accepted, as a client does that has lost the answer.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Repeat {
    /// It is not.
    #[default]
    Never,
    /// Once it was accepted.
    After,
    /// Before it is answered: both are on their way at the same time.
    AtOnce,
}

/// Something that was asked for, and what the client knows of it.
#[derive(Debug, Clone)]
pub struct Sent<Of> {
    /// What was asked for.
    pub asked: Of,
    /// How often it was sent.
    pub tries: u32,
    /// The first 202; none if none ever came.
    pub accepted: Option<Accepted>,
    /// The code of the problem with which it was refused for good.
    pub refused: Option<String>,
    /// What came last instead of an answer that stays, for people; none unless the client gave up.
    pub gave_up: Option<String>,
    /// What a client must never be answered, as sentences.
    pub oddities: Vec<String>,
    /// Whether one of the answers said that it is no replay.
    is_fresh: bool,
}

/// A 202.
#[derive(Debug, Clone)]
pub struct Accepted {
    /// `pay_…`, `re_…`
    pub id: String,
    /// The answer's body.
    pub body: Value,
    /// When it was read.
    pub at: Instant,
    /// How long the answered try took.
    pub took: Duration,
}

/// How often each passing error was answered, by status and code; `no answer` where the connection failed.
pub type Errors = BTreeMap<String, usize>;

/// All that the clients of one merchant know.
#[derive(Default)]
pub struct Book {
    pages: Mutex<Pages>,
}

#[derive(Default)]
struct Pages {
    sent: Vec<Sent<Order>>,
    refunds: Vec<Sent<Refund>>,
    /// How many payments were accepted.
    payments: usize,
    /// The events that must come of what was accepted, and when it was accepted.
    to_be_told: BTreeMap<Told, Instant>,
    sums: BTreeMap<&'static str, Sums>,
    errors: Errors,
    /// How often a request was sent again on purpose.
    repeated: usize,
}

/// What is known of a merchant's balance in one currency while requests are under way, in minor units.
#[derive(Debug, Clone, Copy, Default)]
pub struct Sums {
    /// What the merchant is owed at most: the net of all orders that were ever sent.
    pub promised: i64,
    /// What it has given back at least: the refunds that were accepted and will succeed.
    pub given_at_least: i64,
    /// What it may have given back at most: all refunds that were sent and not refused.
    pub given_at_most: i64,
}

impl Book {
    /// Every order so far, without those that are under way.
    pub fn sent(&self) -> Vec<Sent<Order>> {
        self.pages.lock().unwrap().sent.clone()
    }

    /// Every refund so far, without those that are under way.
    pub fn refunds(&self) -> Vec<Sent<Refund>> {
        self.pages.lock().unwrap().refunds.clone()
    }

    /// How many payments were accepted so far.
    pub fn count(&self) -> usize {
        self.pages.lock().unwrap().payments
    }

    /// How many refunds were answered so far: accepted or refused.
    pub fn refunds_count(&self) -> usize {
        self.pages.lock().unwrap().refunds.len()
    }

    /// The events that must come of what was accepted so far, and when it was accepted.
    pub fn to_be_told(&self) -> BTreeMap<Told, Instant> {
        self.pages.lock().unwrap().to_be_told.clone()
    }

    /// The passing errors after which requests were sent again.
    pub fn errors(&self) -> Errors {
        self.pages.lock().unwrap().errors.clone()
    }

    /// How often requests were sent again on purpose.
    pub fn repeated(&self) -> usize {
        self.pages.lock().unwrap().repeated
    }

    /// What is known of the balance in this currency.
    pub fn sums(&self, currency: &str) -> Sums {
        self.pages.lock().unwrap().sums.get(currency).copied().unwrap_or_default()
    }

    /// Sends an order until it is accepted or refused, but no longer than `patience`, and notes the answers. Gives the
    /// payment's id if it was accepted.
    pub async fn place(&self, client: &Client, order: Order, patience: Duration, repeat: Repeat) -> Option<String> {
        self.pages.lock().unwrap().sums.entry(order.currency).or_default().promised += order.net();
        let sent = self.ask(client, order, patience, repeat).await;
        let id = sent.accepted.as_ref().map(|accepted| accepted.id.clone());
        let mut pages = self.pages.lock().unwrap();
        pages.payments += usize::from(id.is_some());
        pages.sent.push(sent);
        id
    }

    /// The same for a refund.
    pub async fn give_back(&self, client: &Client, refund: Refund, patience: Duration, repeat: Repeat) {
        let (currency, amount, given) = (refund.currency(), refund.amount, refund.given());
        self.pages.lock().unwrap().sums.entry(currency).or_default().given_at_most += amount;
        let sent = self.ask(client, refund, patience, repeat).await;
        let mut pages = self.pages.lock().unwrap();
        let sums = pages.sums.entry(currency).or_default();
        sums.given_at_least += if sent.accepted.is_some() { given } else { 0 };
        sums.given_at_most -= if sent.refused.is_some() { amount } else { 0 };
        pages.refunds.push(sent);
    }

    async fn ask<Of: Asked>(&self, client: &Client, asked: Of, patience: Duration, repeat: Repeat) -> Sent<Of> {
        let request = asked.request(client);
        let until = Instant::now() + patience;
        let send = || request.send_patiently(until.saturating_duration_since(Instant::now()));
        let mut sent = Sent::new(asked);
        let mut all = join_all((0..if repeat == Repeat::AtOnce { 2 } else { 1 }).map(|_| send())).await;
        let is_alone = all.len() == 1;
        for served in &all {
            sent.note(served, is_alone);
        }
        if let (Some(accepted), Repeat::After) = (&sent.accepted, repeat) {
            self.promise(&sent.asked, accepted);
            let again = send().await;
            sent.note(&again, false);
            sent.expect_replay(&again);
            all.push(again);
        }
        if let Some(accepted) = &sent.accepted {
            self.promise(&sent.asked, accepted);
        }
        let mut pages = self.pages.lock().unwrap();
        pages.repeated += all.len() - 1;
        for error in all.into_iter().flat_map(|served| served.errors) {
            *pages.errors.entry(error).or_default() += 1;
        }
        sent
    }

    /// Notes which events must come of an accepted request.
    fn promise(&self, asked: &impl Asked, accepted: &Accepted) {
        let events = asked.events().into_iter().map(|event| ((accepted.id.clone(), event.to_owned()), accepted.at));
        self.pages.lock().unwrap().to_be_told.extend(events);
    }
}

impl<Of: Asked> Sent<Of> {
    fn new(asked: Of) -> Sent<Of> {
        let oddities = Vec::new();
        Sent { asked, tries: 0, accepted: None, refused: None, gave_up: None, oddities, is_fresh: false }
    }

    /// Notes an answer; `is_alone` says that the key was not sent before or at the same time.
    fn note(&mut self, served: &Served, is_alone: bool) {
        self.tries += served.tries;
        let answer = match served.answered() {
            Ok(answer) => answer,
            Err(last) => return self.gave_up = Some(last),
        };
        let key = self.asked.key().to_owned();
        let code = answer.body["code"].as_str().unwrap_or_default();
        if answer.status == 202 {
            if is_alone && served.tries == 1 && is_replay(answer) {
                self.oddities.push(format!("{key} was sent for the first time and answered as a replay"));
            }
            if self.refused.is_some() {
                self.oddities.push(format!("{key} was refused and accepted"));
            }
            match &self.accepted {
                None => self.accept(answer, served.took),
                Some(first) => {
                    let first = first.body.clone();
                    self.compare(answer, &first);
                }
            }
            self.is_fresh |= !is_replay(answer);
        } else if self.accepted.is_none() && self.asked.refusals().contains(&code) && answer.status == 409 {
            self.refused = Some(code.to_owned());
        } else {
            self.oddities.push(format!("{key} was answered {}", answer.described()));
        }
    }

    fn accept(&mut self, answer: &Answer, took: Duration) {
        let (must, body) = (self.asked.answer(), &answer.body);
        let names = must.as_object().into_iter().flat_map(|must| must.keys());
        let told: Value = names.map(|name| (name.clone(), body[name].clone())).collect();
        if told != must {
            let differences = differences(&told, &must);
            self.oddities.push(format!("{} was accepted as something else: {differences}", self.asked.key()));
        }
        let id = body["id"].as_str().unwrap_or_default().to_owned();
        self.accepted = Some(Accepted { id, body: body.clone(), at: Instant::now(), took });
    }

    /// Compares the answer to a repeated request with the first 202. Only one of them can be no replay.
    fn compare(&mut self, answer: &Answer, first: &Value) {
        if *first != answer.body {
            let differences = differences(&answer.body, first);
            self.oddities.push(format!("{} was repeated and answered otherwise: {differences}", self.asked.key()));
        }
        if self.is_fresh && !is_replay(answer) {
            self.oddities.push(format!("{} was accepted twice, and neither time as a replay", self.asked.key()));
        }
    }

    /// Notes it if the answer to a request that was accepted before does not say so.
    fn expect_replay(&mut self, again: &Served) {
        if again.answered().is_ok_and(|answer| answer.status == 202 && !is_replay(answer)) {
            self.oddities.push(format!("{} was repeated and not answered as a replay", self.asked.key()));
        }
    }
}

fn is_replay(answer: &Answer) -> bool {
    answer.header("idempotent-replayed") == "true"
}
