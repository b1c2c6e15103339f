//! A seeded mix of payments with their expected outcomes.

use serde_json::{Value, json};

use crate::client::{Client, Request};
use crate::money_request::MoneyRequest;
use crate::refunds::Refunds;
use crate::terms::{CURRENCIES, expected_fee};

/// Expected outcome of a payment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// It succeeds.
    Succeeded,
    /// It fails with this code.
    Failed(&'static str),
}

/// Behaviour of a card, as in the README's table of tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Behaviour {
    /// Token of the card.
    pub token: &'static str,
    /// Short name for people.
    pub name: &'static str,
    /// Percentage of the mix.
    pub percent: u32,
    /// Expected outcome.
    pub outcome: Outcome,
    /// Whether the processor answers at once with its result.
    pub is_prompt: bool,
    /// Whether the processor refuses refunds.
    pub refunds_fail: bool,
}

const fn prompt(token: &'static str, name: &'static str, percent: u32, outcome: Outcome) -> Behaviour {
    Behaviour { token, name, percent, outcome, is_prompt: true, refunds_fail: false }
}

const fn late(token: &'static str, name: &'static str, percent: u32, outcome: Outcome) -> Behaviour {
    Behaviour { token, name, percent, outcome, is_prompt: false, refunds_fail: false }
}

const fn unrefundable(token: &'static str, name: &'static str, percent: u32) -> Behaviour {
    Behaviour { token, name, percent, outcome: Outcome::Succeeded, is_prompt: true, refunds_fail: true }
}

/// Mix for a stack with default waits.
pub const USUAL: &[Behaviour] = &[
    prompt("tok_visa", "approved", 53, Outcome::Succeeded),
    prompt("tok_mastercard", "approved", 20, Outcome::Succeeded),
    unrefundable("tok_refund_fails", "refund fails", 5),
    prompt("tok_declined", "declined", 5, Outcome::Failed("card_declined")),
    prompt("tok_insufficient_funds", "declined", 5, Outcome::Failed("insufficient_funds")),
    prompt("tok_expired_card", "declined", 4, Outcome::Failed("expired_card")),
    late("tok_slow", "slow", 4, Outcome::Succeeded),
    late("tok_timeout_then_ok", "timing out", 4, Outcome::Succeeded),
];

/// Mix for a stack with short waits: some cards need four calls.
pub const EVERYTHING: &[Behaviour] = &[
    prompt("tok_visa", "approved", 45, Outcome::Succeeded),
    prompt("tok_mastercard", "approved", 18, Outcome::Succeeded),
    unrefundable("tok_refund_fails", "refund fails", 5),
    prompt("tok_declined", "declined", 6, Outcome::Failed("card_declined")),
    prompt("tok_insufficient_funds", "declined", 5, Outcome::Failed("insufficient_funds")),
    prompt("tok_expired_card", "declined", 5, Outcome::Failed("expired_card")),
    late("tok_slow", "slow", 3, Outcome::Succeeded),
    late("tok_timeout_then_ok", "timing out", 5, Outcome::Succeeded),
    late("tok_timeout_unknown", "timing out", 4, Outcome::Succeeded),
    late("tok_unavailable", "unavailable", 4, Outcome::Succeeded),
];

const _: () =
    assert!(percents(USUAL) == 100 && percents(EVERYTHING) == 100, "the percentages of a mix do not sum to 100");

const fn percents(mix: &[Behaviour]) -> u32 {
    match mix {
        [first, rest @ ..] => first.percent + percents(rest),
        [] => 0,
    }
}

/// A payment to create.
#[derive(Debug, Clone)]
pub struct Order {
    /// Its idempotency key.
    pub key: String,
    /// Minor units.
    pub amount: i64,
    /// ISO code.
    pub currency: &'static str,
    /// The customer who pays, if the merchant names one.
    pub customer: Option<String>,
    /// Behaviour of its card.
    pub card: Behaviour,
    /// Refunds to send once the payment has ended.
    pub refunds: Refunds,
}

impl Order {
    /// The request's body; the same at every call.
    pub fn body(&self) -> Value {
        let mut body = json!({"amount": self.amount, "currency": self.currency, "token": self.card.token,
            "description": format!("Order {}", self.key), "reference": self.key, "metadata": {"card": self.card.name}});
        if let Some(customer) = &self.customer {
            body["customer"] = json!(customer);
        }
        body
    }

    /// Whether it must succeed.
    pub fn succeeds(&self) -> bool {
        self.card.outcome == Outcome::Succeeded
    }

    /// Expected fee in minor units: 0 if it fails.
    pub fn fee(&self) -> i64 {
        if self.succeeds() { expected_fee(self.amount) } else { 0 }
    }

    /// Expected net for the merchant in minor units: 0 if it fails.
    pub fn net(&self) -> i64 {
        if self.succeeds() { self.amount - self.fee() } else { 0 }
    }
}

impl MoneyRequest for Order {
    fn key(&self) -> &str {
        &self.key
    }

    fn currency(&self) -> &'static str {
        self.currency
    }

    fn request(&self, client: &Client) -> Request {
        client.payment_request(&self.key, &self.body())
    }

    fn answer(&self) -> Value {
        json!({"amount": self.amount, "currency": self.currency, "status": "processing"})
    }

    fn refusals(&self) -> &'static [&'static str] {
        &[]
    }

    fn entries(&self) -> Vec<(&'static str, i64)> {
        if self.succeeds() { vec![("capture", self.amount)] } else { Vec::new() }
    }

    fn events(&self) -> Vec<&'static str> {
        vec![if self.succeeds() { "payment.succeeded" } else { "payment.failed" }]
    }
}

/// An endless sequence of orders, determined by seed and name.
pub struct Workload {
    random: fastrand::Rng,
    name: String,
    mix: &'static [Behaviour],
    given: usize,
}

impl Workload {
    /// `name` is part of every key, so that two workloads of one merchant share no payment.
    pub fn new(seed: u64, name: &str, mix: &'static [Behaviour]) -> Workload {
        let of_name = name.bytes().fold(0_u64, |sum, byte| sum.wrapping_mul(31).wrapping_add(byte.into()));
        let random = fastrand::Rng::with_seed(seed ^ of_name.rotate_left(32));
        Workload { random, name: name.to_owned(), mix, given: 0 }
    }
}

impl Iterator for Workload {
    type Item = Order;

    fn next(&mut self) -> Option<Order> {
        self.given += 1;
        let mut place = self.random.u32(0..100);
        let card = self.mix.iter().find(|card| {
            let found = place < card.percent;
            place = place.saturating_sub(card.percent);
            found
        });
        // Some are so small that the fee takes the whole amount.
        let amount = if self.random.u8(0..50) == 0 { self.random.i64(1..40) } else { self.random.i64(40..250_000) };
        let currency = CURRENCIES[self.random.usize(0..CURRENCIES.len())];
        let refunds = Refunds::draw(&mut self.random, amount, card?);
        let key = format!("{}-{}", self.name, self.given);
        Some(Order { key, amount, currency, customer: None, card: *card?, refunds })
    }
}
