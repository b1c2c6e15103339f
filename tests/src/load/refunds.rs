//! What is given back of paid orders: all, a part, several parts, too much.

use fastrand::Rng;
use serde_json::{Value, json};

use crate::client::{Client, Request};
use crate::money_request::MoneyRequest;
use crate::request_log::Repeat;
use crate::workload::{Behaviour, Order};

/// How money of an order is given back.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Refunds {
    /// Minor units of each refund. Together they may be more than the order's: then not all of them are accepted.
    pub amounts: Vec<i64>,
    /// Whether all of them are sent at once, or each after the answer to the one before.
    pub at_once: bool,
    /// Whether each is sent again under its key.
    pub repeat: Repeat,
}

impl Refunds {
    /// For a third of all orders: all at once or in parts, and sometimes more than `amount`.
    pub fn draw(random: &mut Rng, amount: i64, card: &Behaviour) -> Refunds {
        let third = (amount / 3).max(1);
        let (amounts, at_once) = match random.u8(0..100) {
            0..10 => (vec![amount], false),
            10..17 => (vec![random.i64(1..=amount)], false),
            17..22 => (vec![third; 3], false),
            // Three of them are accepted, whichever, or more if the amount is tiny.
            22..27 => (vec![third; 5], true),
            27..31 => (vec![amount; 2], random.bool()),
            31..33 => (vec![amount + 1], false),
            _ => (Vec::new(), false),
        };
        let repeat = match random.u8(0..4) {
            // Where refunds fail, a right comes back meanwhile: of two requests under one key the first may be refused, and
            // the second accepted.
            0 if !card.refunds_fail => Repeat::AtOnce,
            0 | 1 => Repeat::After,
            _ => Repeat::Never,
        };
        Refunds { amounts, at_once, repeat }
    }
}

/// A refund to be asked for.
#[derive(Debug, Clone)]
pub struct Refund {
    /// Its idempotency key.
    pub key: String,
    /// What was paid for.
    pub order: Order,
    /// The order's payment: `pay_…`
    pub payment: String,
    /// Minor units.
    pub amount: i64,
}

impl Refund {
    /// The refunds of an order that became this payment.
    pub fn all_of(order: &Order, payment: &str) -> Vec<Refund> {
        let numbered = order.refunds.amounts.iter().zip(1..);
        let refund = |(amount, number): (&i64, u32)| Refund {
            key: format!("{}-refund-{number}", order.key),
            order: order.clone(),
            payment: payment.to_owned(),
            amount: *amount,
        };
        numbered.map(refund).collect()
    }

    /// Whether the processor refuses it after it was accepted.
    pub fn fails(&self) -> bool {
        self.order.card.refunds_fail
    }

    /// What the merchant has less in the end, in minor units: nothing if it fails.
    pub fn given(&self) -> i64 {
        if self.fails() { 0 } else { self.amount }
    }
}

impl MoneyRequest for Refund {
    fn key(&self) -> &str {
        &self.key
    }

    fn currency(&self) -> &'static str {
        self.order.currency
    }

    fn request(&self, client: &Client) -> Request {
        client.refund_request(&self.payment, &self.key, u64::try_from(self.amount).unwrap())
    }

    fn answer(&self) -> Value {
        json!({"object": "refund", "payment": self.payment, "amount": self.amount, "currency": self.order.currency,
            "status": "pending"})
    }

    fn refusals(&self) -> &'static [&'static str] {
        if self.order.succeeds() { &["amount_exceeds_refundable"] } else { &["payment_not_refundable"] }
    }

    fn entries(&self) -> Vec<(&'static str, i64)> {
        let end = if self.fails() { "refund_failed" } else { "refund_sent" };
        vec![("refund", self.amount), (end, self.amount)]
    }

    fn events(&self) -> Vec<&'static str> {
        vec!["refund.created", if self.fails() { "refund.failed" } else { "refund.succeeded" }]
    }
}
