//! A payment or refund, with what was acknowledged of it: an answer must show all that.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard};

use serde_json::Value;

use crate::client::Answer;

/// The version of a payment that has succeeded: the first one had the status `processing`.
const PAID_VERSION: u64 = 2;

/// A payment or refund.
pub(super) struct Object {
    /// The number of its merchant.
    pub merchant: usize,
    /// `pay_…` or `re_…`
    pub id: String,
    /// Whether refunds of it succeed. Those of other payments are given back, so their sum can fall.
    pub keeps_refunds: bool,
    known: Mutex<Known>,
}

/// What answers have acknowledged so far.
#[derive(Debug, Clone, Default)]
pub(super) struct Known {
    /// The highest version.
    version: u64,
    /// Number and sum of the refunds that were accepted.
    refunds: (u64, i64),
    /// The answer of each version.
    bodies: BTreeMap<u64, Value>,
}

impl Object {
    pub fn new(merchant: usize, accepted: &Answer, keeps_refunds: bool) -> Object {
        let object = Object { merchant, id: accepted.id().to_owned(), keeps_refunds, known: Mutex::default() };
        object.learn(&accepted.body);
        object
    }

    pub fn is_payment(&self) -> bool {
        self.id.starts_with("pay_")
    }

    pub fn path(&self) -> String {
        format!("/{}/{}", if self.is_payment() { "payments" } else { "refunds" }, self.id)
    }

    /// What is acknowledged now. A request that begins later must be answered with that or more.
    pub fn known(&self) -> Known {
        self.locked().clone()
    }

    /// Whether a payment has succeeded, by the last answer.
    pub fn is_paid(&self) -> bool {
        let known = self.locked();
        self.is_payment() && known.bodies.values().any(|body| body["status"] == "succeeded")
    }

    /// A refund of this amount was accepted.
    pub fn refunded(&self, amount: i64) {
        let mut known = self.locked();
        known.refunds = (known.refunds.0 + 1, known.refunds.1 + amount);
    }

    /// Compares an answer with what was acknowledged before its request began, and with earlier answers of the same
    /// version. Returns what is wrong.
    pub fn check(&self, before: &Known, answer: &Answer) -> Option<String> {
        if answer.status != 200 {
            return Some(format!("{}: answered {}", self.id, answer.described()));
        }
        let version = answer.body["version"].as_u64().unwrap_or_default();
        let (refunds, sum) = before.refunds;
        let least = before.version.max(if refunds > 0 { PAID_VERSION + refunds } else { 1 });
        if version < least {
            return Some(format!("{}: version {version} after version {least}", self.id));
        }
        let refunded = answer.body["amount_refunded"].as_i64().unwrap_or_default();
        if self.is_payment() && self.keeps_refunds && refunded < sum {
            return Some(format!("{}: {refunded} refunded after {sum}", self.id));
        }
        let earlier = self.learn(&answer.body);
        (earlier != answer.body).then(|| format!("{}: version {version} is {} and {earlier}", self.id, answer.body))
    }

    /// Records an answer. Returns the first answer of its version.
    fn learn(&self, body: &Value) -> Value {
        let version = body["version"].as_u64().unwrap_or_default();
        let mut known = self.locked();
        known.version = known.version.max(version);
        known.bodies.entry(version).or_insert_with(|| body.clone()).clone()
    }

    fn locked(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap()
    }
}
