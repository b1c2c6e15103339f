//! The log of a client's requests and their answers. The client repeats each request, with the same idempotency key,
//! until it is accepted or finally refused.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use futures::future::join_all;
use serde_json::Value;

use crate::client::{Answer, Client, Served};
use crate::deliveries::EventRef;
use crate::difference::differences;
use crate::money_request::MoneyRequest;
use crate::refunds::Refund;
use crate::workload::Order;

/// Whether a request is repeated although it was accepted, as by a client that lost the answer.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Repeat {
    /// Never.
    #[default]
    Never,
    /// After it was accepted.
    After,
    /// At once: both requests are in flight at the same time.
    AtOnce,
}

/// A request, and what the client knows of its result.
#[derive(Debug, Clone)]
pub struct Sent<Of> {
    /// The request.
    pub request: Of,
    /// Number of tries.
    pub tries: u32,
    /// The first 202; `None` without one.
    pub accepted: Option<Accepted>,
    /// Problem code of a final refusal.
    pub refused: Option<String>,
    /// The last answer, for people, if the client gave up.
    pub gave_up: Option<String>,
    /// Answers that a client must never get, as sentences.
    pub oddities: Vec<String>,
    /// Whether an answer was not a replay.
    is_fresh: bool,
}

/// A 202.
#[derive(Debug, Clone)]
pub struct Accepted {
    /// `pay_…`, `re_…`
    pub id: String,
    /// Body.
    pub body: Value,
    /// Time of arrival.
    pub at: Instant,
    /// Duration of the answered try.
    pub took: Duration,
}

/// Transient errors by status and code; `no answer` where the connection failed.
pub type Errors = BTreeMap<String, usize>;

/// Requests of one merchant's clients, with their answers.
#[derive(Default)]
pub struct RequestLog {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    sent: Vec<Sent<Order>>,
    refunds: Vec<Sent<Refund>>,
    /// Number of accepted payments.
    accepted: usize,
    /// Events that must follow from accepted requests, with the time of acceptance.
    expected_events: BTreeMap<EventRef, Instant>,
    sums: BTreeMap<&'static str, Sums>,
    errors: Errors,
    /// Number of repeats on purpose.
    repeated: usize,
}

/// Bounds of a merchant's balance in one currency while requests are in flight, in minor units.
#[derive(Debug, Clone, Copy, Default)]
pub struct Sums {
    /// Upper bound of earnings: the net of all orders that were sent.
    pub earned_at_most: i64,
    /// Lower bound of refunds: those that were accepted and will succeed.
    pub refunded_at_least: i64,
    /// Upper bound of refunds: all that were sent and not refused.
    pub refunded_at_most: i64,
}

impl RequestLog {
    /// All orders so far, without those in flight.
    pub fn sent(&self) -> Vec<Sent<Order>> {
        self.state.lock().unwrap().sent.clone()
    }

    /// All refunds so far, without those in flight.
    pub fn refunds(&self) -> Vec<Sent<Refund>> {
        self.state.lock().unwrap().refunds.clone()
    }

    /// Number of accepted payments so far.
    pub fn accepted(&self) -> usize {
        self.state.lock().unwrap().accepted
    }

    /// Number of refunds so far that were accepted or refused.
    pub fn refunds_count(&self) -> usize {
        self.state.lock().unwrap().refunds.len()
    }

    /// Events that must follow from the requests accepted so far, with the time of acceptance.
    pub fn expected_events(&self) -> BTreeMap<EventRef, Instant> {
        self.state.lock().unwrap().expected_events.clone()
    }

    /// Number of these events.
    pub fn expected_count(&self) -> usize {
        self.state.lock().unwrap().expected_events.len()
    }

    /// Transient errors after which requests were repeated.
    pub fn errors(&self) -> Errors {
        self.state.lock().unwrap().errors.clone()
    }

    /// Number of repeats on purpose.
    pub fn repeated(&self) -> usize {
        self.state.lock().unwrap().repeated
    }

    /// Bounds of the balance in this currency.
    pub fn sums(&self, currency: &str) -> Sums {
        self.state.lock().unwrap().sums.get(currency).copied().unwrap_or_default()
    }

    /// Sends an order until it is accepted or refused, for at most `patience`. Returns the payment's id if it was
    /// accepted.
    pub async fn pay(&self, client: &Client, order: Order, patience: Duration, repeat: Repeat) -> Option<String> {
        self.state.lock().unwrap().sums.entry(order.currency).or_default().earned_at_most += order.net();
        let sent = self.send(client, order, patience, repeat).await;
        let id = sent.accepted.as_ref().map(|accepted| accepted.id.clone());
        let mut state = self.state.lock().unwrap();
        state.accepted += usize::from(id.is_some());
        state.sent.push(sent);
        id
    }

    /// The same for a refund.
    pub async fn refund(&self, client: &Client, refund: Refund, patience: Duration, repeat: Repeat) {
        let (currency, amount, given) = (refund.currency(), refund.amount, refund.given());
        self.state.lock().unwrap().sums.entry(currency).or_default().refunded_at_most += amount;
        let sent = self.send(client, refund, patience, repeat).await;
        let mut state = self.state.lock().unwrap();
        let sums = state.sums.entry(currency).or_default();
        sums.refunded_at_least += if sent.accepted.is_some() { given } else { 0 };
        sums.refunded_at_most -= if sent.refused.is_some() { amount } else { 0 };
        state.refunds.push(sent);
    }

    async fn send<Of: MoneyRequest>(
        &self, client: &Client, request: Of, patience: Duration, repeat: Repeat,
    ) -> Sent<Of> {
        let http_request = request.request(client);
        let until = Instant::now() + patience;
        let send = || http_request.send_patiently(until.saturating_duration_since(Instant::now()));
        let mut sent = Sent::new(request);
        let mut all = join_all((0..if repeat == Repeat::AtOnce { 2 } else { 1 }).map(|_| send())).await;
        let is_alone = all.len() == 1;
        for served in &all {
            sent.note(served, is_alone);
        }
        if let (Some(accepted), Repeat::After) = (&sent.accepted, repeat) {
            self.expect_events(&sent.request, accepted);
            let again = send().await;
            sent.note(&again, false);
            sent.expect_replay(&again);
            all.push(again);
        }
        if let Some(accepted) = &sent.accepted {
            self.expect_events(&sent.request, accepted);
        }
        let mut state = self.state.lock().unwrap();
        state.repeated += all.len() - 1;
        for error in all.into_iter().flat_map(|served| served.errors) {
            *state.errors.entry(error).or_default() += 1;
        }
        sent
    }

    /// Adds the events that must follow from an accepted request.
    fn expect_events(&self, request: &impl MoneyRequest, accepted: &Accepted) {
        let events = request.events().into_iter().map(|event| ((accepted.id.clone(), event.to_owned()), accepted.at));
        self.state.lock().unwrap().expected_events.extend(events);
    }
}

impl<Of: MoneyRequest> Sent<Of> {
    fn new(request: Of) -> Sent<Of> {
        let oddities = Vec::new();
        Sent { request, tries: 0, accepted: None, refused: None, gave_up: None, oddities, is_fresh: false }
    }

    /// Records an answer; `is_alone` means that the key was not sent before or at the same time.
    fn note(&mut self, served: &Served, is_alone: bool) {
        self.tries += served.tries;
        let answer = match served.answered() {
            Ok(answer) => answer,
            Err(last) => return self.gave_up = Some(last),
        };
        let key = self.request.key().to_owned();
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
        } else if self.accepted.is_none() && self.request.refusals().contains(&code) && answer.status == 409 {
            self.refused = Some(code.to_owned());
        } else {
            self.oddities.push(format!("{key} was answered {}", answer.described()));
        }
    }

    fn accept(&mut self, answer: &Answer, took: Duration) {
        let (must, body) = (self.request.answer(), &answer.body);
        let names = must.as_object().into_iter().flat_map(|must| must.keys());
        let shown: Value = names.map(|name| (name.clone(), body[name].clone())).collect();
        if shown != must {
            let differences = differences(&shown, &must);
            self.oddities.push(format!("{} was accepted as something else: {differences}", self.request.key()));
        }
        let id = body["id"].as_str().unwrap_or_default().to_owned();
        self.accepted = Some(Accepted { id, body: body.clone(), at: Instant::now(), took });
    }

    /// Compares the answer to a repeat with the first 202. Only one of them may be no replay.
    fn compare(&mut self, answer: &Answer, first: &Value) {
        if *first != answer.body {
            let differences = differences(&answer.body, first);
            self.oddities.push(format!("{} was repeated and answered otherwise: {differences}", self.request.key()));
        }
        if self.is_fresh && !is_replay(answer) {
            self.oddities.push(format!("{} was accepted twice, and neither time as a replay", self.request.key()));
        }
    }

    /// Records a fault if the answer to a repeat of an accepted request is not a replay.
    fn expect_replay(&mut self, again: &Served) {
        if again.answered().is_ok_and(|answer| answer.status == 202 && !is_replay(answer)) {
            self.oddities.push(format!("{} was repeated and not answered as a replay", self.request.key()));
        }
    }
}

fn is_replay(answer: &Answer) -> bool {
    answer.header("idempotent-replayed") == "true"
}
