//! What the table alone tells of its own faults: whatever follows from a payment is there, once, and says what it has
//! to; debits equal credits; and the balances are the journal's.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::sums::{figures, legs};
use super::{Books, expected_legs, shown, text};
use crate::difference::differences;
use crate::table::Item;
use crate::terms::expected_fee;
use crate::violation::{Kind, Violation};

/// What followed from one payment.
#[derive(Default)]
struct Followed<'books> {
    entries: Vec<&'books Item>,
    events: Vec<&'books Item>,
}

impl Books {
    /// Every promise that the books break by themselves. A payment that is not final breaks none yet.
    pub fn violations(&self) -> Vec<Violation> {
        let mut found = Vec::new();
        let mut followed: BTreeMap<&str, Followed> = BTreeMap::new();
        for entry in &self.entries {
            found.extend(unbalanced(entry));
            followed.entry(text(entry, "source")).or_default().entries.push(entry);
        }
        for event in &self.events {
            followed.entry(text(event, "source")).or_default().events.push(event);
        }
        for (id, payment) in self.payments.iter().filter(|(_, payment)| is_final(text(payment, "status"))) {
            let of = followed.remove(id.as_str()).unwrap_or_default();
            self.charged_once(id, payment, &mut found);
            posted_once(id, payment, &of.entries, &mut found);
            found.extend(told_once(id, payment, &of.events));
            if payment.contains_key("due") {
                found.push(Kind::Wrong.of(format!("{id} is final, and has a due time")));
            }
        }
        let early = followed.keys().map(|source| match self.payments.get(*source) {
            Some(payment) => format!("{source} is {}, and has entries or events", text(payment, "status")),
            None => format!("there are entries or events of {source:?}, which is no payment"),
        });
        found.extend(early.map(|sentence| Kind::Wrong.of(sentence)));
        for (currency, accounts) in self.accounts() {
            let sum: i64 = accounts.values().sum();
            if sum != 0 {
                let sentence = format!("all accounts together sum to {sum} in {currency}, not to 0");
                found.push(Kind::Unbalanced.of(sentence));
            }
        }
        let (kept, recomputed) = (self.kept(), self.recomputed());
        if kept != recomputed {
            let (kept, recomputed) = (shown(&kept), shown(&recomputed));
            let sentence = format!("the balance of balance items and movements is {kept}, the journal's {recomputed}");
            found.push(Kind::Wrong.of(sentence));
        }
        found
    }

    /// The processor was made to charge for a payment that succeeded, once; for another what it charged was undone.
    fn charged_once(&self, id: &str, payment: &Item, found: &mut Vec<Violation>) {
        let (charged, undone) = (self.charged(id), self.undone(id));
        let kept = if succeeded(payment) { 1 } else { usize::from(undone) };
        if charged > kept {
            found.push(Kind::Doubled.of(format!("{id} was charged {charged} times, not {kept}")));
        } else if charged < kept {
            found.push(Kind::Lost.of(format!("{id} was never charged")));
        }
        if undone && succeeded(payment) {
            found.push(Kind::Wrong.of(format!("{id} succeeded, and its charge was undone")));
        }
    }
}

pub(super) fn is_final(status: &str) -> bool {
    matches!(status, "succeeded" | "failed")
}

fn succeeded(payment: &Item) -> bool {
    text(payment, "status") == "succeeded"
}

/// No leg is nothing or less, and the debits are the credits.
fn unbalanced(entry: &Item) -> Option<Violation> {
    let postings = entry.get("postings").and_then(Value::as_array).into_iter().flatten();
    let positive = postings.clone().all(|posting| posting["amount"].as_i64().is_some_and(|amount| amount > 0));
    let sum: i64 = legs(entry).map(|(_, amount)| amount).sum();
    (sum != 0 || !positive || postings.count() == 0).then(|| {
        let sentence = format!("the entry of {} does not balance: {}", text(entry, "source"), legs_shown(legs(entry)));
        Kind::Unbalanced.of(sentence)
    })
}

/// A payment that succeeded has one entry, which says what it has to; another has none.
fn posted_once(id: &str, payment: &Item, entries: &[&Item], found: &mut Vec<Violation>) {
    match (entries, succeeded(payment)) {
        ([entry], true) => found.extend(posted(id, payment, entry)),
        ([], false) => {}
        ([], true) => found.push(Kind::Lost.of(format!("{id} was never posted"))),
        (several, true) => found.push(Kind::Doubled.of(format!("{id} has {} entries", several.len()))),
        (several, false) => {
            found.push(Kind::Wrong.of(format!("{id} failed, and has {} entries", several.len())));
        }
    }
}

fn posted(id: &str, payment: &Item, entry: &Item) -> Option<Violation> {
    let asked = &payment["asked"];
    let amount = asked["amount"].as_i64().unwrap_or_else(|| panic!("no amount: {payment:?}"));
    let (fee, expected) = (expected_fee(amount), expected_legs(amount));
    let mut posted: Vec<(String, i64)> = legs(entry).collect();
    posted.sort();
    let mut must = json!({"legs": legs_shown(expected), "amount": amount, "fee": fee, "net": amount - fee});
    must["currency"] = asked["currency"].clone();
    must["available_on"] = json!(payment.get("available_on"));
    must["the payment's fee"] = json!(fee);
    let mut is = json!({"legs": legs_shown(posted), "the payment's fee": payment.get("fee")});
    let (amount, fee, net) = figures(entry);
    for (name, figure) in [("amount", amount), ("fee", fee), ("net", net)] {
        is[name] = json!(figure);
    }
    for name in ["currency", "available_on"] {
        is[name] = json!(entry.get(name));
    }
    let differences = differences(&is, &must);
    (!differences.is_empty()).then(|| Kind::Wrong.of(format!("the entry of {id}: {differences}")))
}

/// `fee_income -66, merchant -1184, processor_receivable 1250`
fn legs_shown(legs: impl IntoIterator<Item = (String, i64)>) -> String {
    let shown = legs.into_iter().map(|(account, amount)| format!("{account} {amount}"));
    shown.collect::<Vec<String>>().join(", ")
}

/// One event tells of a payment's end.
fn told_once(id: &str, payment: &Item, events: &[&Item]) -> Option<Violation> {
    let (status, kind) = (text(payment, "status"), format!("payment.{}", text(payment, "status")));
    match events {
        [event] if text(event, "type") == kind => None,
        [event] => Some(Kind::Wrong.of(format!("{id} {status}, and its event is {}", text(event, "type")))),
        [] => Some(Kind::Lost.of(format!("{id} {status}, and no event tells of it"))),
        several => Some(Kind::Doubled.of(format!("{id} {status}, and {} events tell of it", several.len()))),
    }
}
