//! Recomputes the books of a tenant from the table alone and compares them with what the system keeps.
//!
//! Its arithmetic is its own: it shares no code with what it checks.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;
use time::OffsetDateTime;

use crate::eventually::{Deadline, eventually};
use crate::stack::Stack;
use crate::table::{Item, Table};

/// The terms of [`crate::Stack::new_merchant`].
const FEE_BASIS_POINTS: i64 = 290;
const FEE_FIXED: i64 = 30;

/// A merchant's (available, pending) by currency, in minor units.
pub type Balances = BTreeMap<String, (i64, i64)>;

/// All that the table holds of one tenant.
#[derive(Debug, Default)]
pub struct Books {
    /// By id.
    pub payments: BTreeMap<String, Item>,
    /// Journal entries.
    pub entries: Vec<Item>,
    /// Movements that still exist.
    pub movements: Vec<Item>,
    /// Events.
    pub events: Vec<Item>,
    /// Deliveries of events to endpoints.
    pub deliveries: Vec<Item>,
    /// Balances by currency.
    pub balances: BTreeMap<String, Item>,
    /// What the sandbox processor was made to do, by payment.
    pub charges: BTreeMap<String, Vec<Item>>,
}

impl Books {
    /// Reads the books of `tenant` (`mer_…#test`).
    pub async fn read(table: &Table, tenant: &str) -> Books {
        Books::of(table.items().await, tenant)
    }

    /// The books of `tenant` from all items of the table.
    pub fn of(items: Vec<Item>, tenant: &str) -> Books {
        let mut books = Books::default();
        for item in items {
            let (pk, sk) = (text(&item, "pk").to_owned(), text(&item, "sk").to_owned());
            if let Some(payment) = pk.strip_prefix("sandbox#") {
                books.charges.entry(payment.to_owned()).or_default().push(item);
                continue;
            }
            let Some(kind) = pk.strip_prefix(tenant).and_then(|rest| rest.strip_prefix('#')) else {
                continue;
            };
            match kind.split(['#', '_']).next().unwrap() {
                "pay" => drop(books.payments.insert(kind.to_owned(), item)),
                "journal" => books.entries.push(item),
                "movements" => books.movements.push(item),
                "events" => books.events.push(item),
                "evt" => books.deliveries.push(item),
                "balances" => drop(books.balances.insert(sk, item)),
                _ => {}
            }
        }
        books
    }

    /// What is wrong with the books; empty when every payment is final and all is as it should be.
    pub fn faults(&self) -> Vec<String> {
        let mut faults = Vec::new();
        self.entries.iter().for_each(|entry| entry_balances(entry, &mut faults));
        let mut followed: BTreeMap<&str, Followed> = BTreeMap::new();
        for entry in &self.entries {
            followed.entry(text(entry, "source")).or_default().entries.push(entry);
        }
        for event in &self.events {
            followed.entry(text(event, "source")).or_default().events.push(event);
        }
        let strangers = followed.keys().filter(|source| !self.payments.contains_key(**source));
        faults.extend(strangers.map(|source| format!("entries or events of {source}, which is no payment")));
        for (id, payment) in &self.payments {
            let of = Followed { payment: id, ..followed.remove(id.as_str()).unwrap_or_default() };
            match text(payment, "status") {
                "succeeded" => self.succeeded_is_complete(payment, &of, &mut faults),
                "failed" => self.failed_left_nothing(&of, &mut faults),
                other => faults.push(format!("{id} is {other}")),
            }
            if payment.contains_key("due") {
                faults.push(format!("{id} has a due time"));
            }
        }
        if self.kept() != self.recomputed() {
            faults.push(format!("balances kept {:?}, recomputed {:?}", self.kept(), self.recomputed()));
        }
        faults
    }

    /// The balances as the journal says: credits less debits of the merchant's account, by value date.
    pub fn recomputed(&self) -> Balances {
        let mut balances = Balances::new();
        for entry in &self.entries {
            for posting in postings(entry).iter().filter(|posting| posting["account"] == "merchant") {
                let sign = if posting["side"] == "credit" { 1 } else { -1 };
                let amount = sign * posting["amount"].as_i64().unwrap();
                add(&mut balances, text(entry, "currency"), text(entry, "available_on"), amount);
            }
        }
        balances
    }

    /// The balances as the system keeps them: the balance items and the movements that are in none of them.
    pub fn kept(&self) -> Balances {
        let mut balances = Balances::new();
        let mut folded: BTreeSet<&str> = BTreeSet::new();
        for (currency, balance) in &self.balances {
            add(&mut balances, currency, "0000-00-00", number(balance, "available"));
            for (day, amount) in balance.get("pending").and_then(Value::as_object).into_iter().flatten() {
                add(&mut balances, currency, day, amount.as_i64().unwrap());
            }
            folded.extend(
                balance.get("folding").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str),
            );
        }
        for movement in &self.movements {
            let key = text(movement, "sk").strip_prefix("move#").unwrap();
            let mut parts = key.split('#');
            let (currency, day) = (parts.next().unwrap(), parts.next().unwrap());
            if !folded.contains(key) {
                add(&mut balances, currency, day, number(movement, "amount"));
            }
        }
        balances
    }

    /// How often the sandbox was made to charge for this payment.
    pub fn charged(&self, payment: &str) -> usize {
        let charges = self.sandbox_calls(payment).filter_map(|item| item.get("charges").and_then(Value::as_u64));
        usize::try_from(charges.sum::<u64>()).unwrap()
    }

    /// Whether the sandbox was made to take a charge for this payment back.
    pub fn undone(&self, payment: &str) -> bool {
        self.sandbox_calls(payment).any(|item| text(item, "sk").ends_with("/undo"))
    }

    fn sandbox_calls(&self, payment: &str) -> impl Iterator<Item = &Item> {
        self.charges.get(payment).into_iter().flatten()
    }

    /// The events that tell of this payment.
    pub fn events_of(&self, payment: &str) -> Vec<&Item> {
        self.events.iter().filter(|event| text(event, "source") == payment).collect()
    }

    /// The entries of this payment.
    pub fn entries_of(&self, payment: &str) -> Vec<&Item> {
        self.entries.iter().filter(|entry| text(entry, "source") == payment).collect()
    }

    fn succeeded_is_complete(&self, payment: &Item, of: &Followed, faults: &mut Vec<String>) {
        let (id, amount) = (of.payment, number(payment, "amount"));
        let [entry] = of.entries.as_slice() else {
            let entries = &of.entries;
            return faults.push(format!("{id} succeeded with {} entries", entries.len()));
        };
        let (fee, net) = (expected_fee(amount), amount - expected_fee(amount));
        let expected = [("amount", amount), ("fee", fee), ("net", net)];
        if expected.iter().any(|(name, value)| number(entry, name) != *value) || number(payment, "fee") != fee {
            faults.push(format!("{id}: expected {expected:?}, payment {payment:?}, entry {entry:?}"));
        }
        if entry.get("currency") != payment.get("currency") || entry.get("available_on") != payment.get("available_on")
        {
            faults.push(format!("{id}: currency or value date differ from its entry's"));
        }
        if of.event_types() != ["payment.succeeded"] {
            faults.push(format!("{id} succeeded with events {:?}", of.events));
        }
        if self.charged(id) != 1 || self.undone(id) {
            faults.push(format!("{id} succeeded, charged {} times, undone: {}", self.charged(id), self.undone(id)));
        }
    }

    fn failed_left_nothing(&self, of: &Followed, faults: &mut Vec<String>) {
        let id = of.payment;
        if of.event_types() != ["payment.failed"] {
            faults.push(format!("{id} failed with events {:?}", of.events));
        }
        let (entries, charged, undone) = (of.entries.len(), self.charged(id), self.undone(id));
        if entries > 0 || charged != usize::from(undone) {
            faults.push(format!("{id} failed with {entries} entries and {charged} charges, undone: {undone}"));
        }
    }
}

/// What followed from one payment.
#[derive(Debug, Default)]
struct Followed<'books> {
    payment: &'books str,
    entries: Vec<&'books Item>,
    events: Vec<&'books Item>,
}

impl Followed<'_> {
    fn event_types(&self) -> Vec<&str> {
        self.events.iter().map(|event| text(event, "type")).collect()
    }
}

/// 290 basis points, rounded half to even, + 30, at most the amount.
pub fn expected_fee(amount: i64) -> i64 {
    let (whole, rest) = (amount * FEE_BASIS_POINTS / 10_000, amount * FEE_BASIS_POINTS % 10_000);
    let up = rest > 5_000 || rest == 5_000 && whole % 2 == 1;
    (whole + i64::from(up) + FEE_FIXED).min(amount)
}

/// Today's date in UTC, `2026-01-31`.
pub fn today() -> String {
    OffsetDateTime::now_utc().date().to_string()
}

/// Today's date in UTC plus some days.
pub fn in_days(days: i64) -> String {
    (OffsetDateTime::now_utc().date() + time::Duration::days(days)).to_string()
}

fn entry_balances(entry: &Item, faults: &mut Vec<String>) {
    let side = |side: &str| -> i64 {
        let legs = postings(entry).iter().filter(|posting| posting["side"] == side);
        legs.map(|posting| posting["amount"].as_i64().unwrap()).sum()
    };
    let positive = postings(entry).iter().all(|posting| posting["amount"].as_i64().is_some_and(|amount| amount > 0));
    if !positive || side("debit") != side("credit") || side("debit") == 0 {
        faults.push(format!("an entry that does not balance: {entry:?}"));
    }
}

fn postings(entry: &Item) -> &Vec<Value> {
    entry.get("postings").and_then(Value::as_array).unwrap_or_else(|| panic!("no postings: {entry:?}"))
}

fn add(balances: &mut Balances, currency: &str, day: &str, amount: i64) {
    let (available, pending) = balances.entry(currency.to_owned()).or_default();
    *(if day <= today().as_str() { available } else { pending }) += amount;
}

fn text<'item>(item: &'item Item, name: &str) -> &'item str {
    item.get(name).and_then(Value::as_str).unwrap_or_else(|| panic!("no text {name}: {item:?}"))
}

fn number(item: &Item, name: &str) -> i64 {
    item.get(name).and_then(Value::as_i64).unwrap_or_else(|| panic!("no number {name}: {item:?}"))
}

/// Waits until the books of `tenant` hold `payments` payments and no fault; gives them.
pub async fn settled(stack: &Stack, tenant: &str, payments: usize) -> Books {
    eventually("the books are right", Deadline::LATER, async || right(stack, tenant, payments).await).await
}

/// The same, where what is due has to be enqueued for it.
pub async fn settled_by_due(stack: &Stack, tenant: &str, payments: usize) -> Books {
    eventually("the books are right", Deadline::LATER, async || {
        stack.run_due().await;
        right(stack, tenant, payments).await
    })
    .await
}

async fn right(stack: &Stack, tenant: &str, payments: usize) -> Result<Books, String> {
    let books = Books::read(&stack.table(), tenant).await;
    let faults = books.faults();
    if books.payments.len() == payments && faults.is_empty() {
        return Ok(books);
    }
    let shown: Vec<&String> = faults.iter().take(5).collect();
    Err(format!("{} payments, {} faults, of which {shown:#?}", books.payments.len(), faults.len()))
}
