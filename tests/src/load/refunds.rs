//! Refunds of paid orders: full, partial, several, too large.

use fastrand::Rng;
use serde_json::{Value, json};

use crate::client::{Client, Request};
use crate::money_request::MoneyRequest;
use crate::request_log::Repeat;
use crate::workload::{Behaviour, Order};

/// The refunds of an order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Refunds {
    /// Minor units of each refund. If the sum exceeds the order's amount, not all are accepted.
    pub amounts: Vec<i64>,
    /// Whether all are sent concurrently, or each after the answer to the one before.
    pub at_once: bool,
    /// Whether each is repeated under its key.
    pub repeat: Repeat,
}

impl Refunds {
    /// Refunds for a third of all orders: full or partial, and sometimes more than `amount`.
    pub fn draw(random: &mut Rng, amount: i64, card: &Behaviour) -> Refunds {
        let third = (amount / 3).max(1);
        let (amounts, at_once) = match random.u8(0..100) {
            0..10 => (vec![amount], false),
            10..17 => (vec![random.i64(1..=amount)], false),
            17..22 => (vec![third; 3], false),
            // Any three of them are accepted, or more if the amount is tiny.
            22..27 => (vec![third; 5], true),
            27..31 => (vec![amount; 2], random.bool()),
            31..33 => (vec![amount + 1], false),
            _ => (Vec::new(), false),
        };
        let repeat = match random.u8(0..4) {
            // A failed refund restores the refundable amount, so of two requests under one key the first may be refused
            // and the second accepted.
            0 if !card.refunds_fail => Repeat::AtOnce,
            0 | 1 => Repeat::After,
            _ => Repeat::Never,
        };
        Refunds { amounts, at_once, repeat }
    }
}

/// A refund.
#[derive(Debug, Clone)]
pub struct Refund {
    /// Its idempotency key.
    pub key: String,
    /// The paid order.
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

    /// Minor units that the merchant pays in the end: 0 if it fails.
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
