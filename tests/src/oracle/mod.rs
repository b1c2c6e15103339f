//! The oracle: an independent model of correct books. It shares no code with the system.
//!
//! [`Books`] are the table's items. [`Books::violations`] names every promise that they break by themselves, by the
//! tables in `rules`. `load::evidence` compares them with requests, answers and webhooks.

pub mod difference;
mod entries;
pub(crate) mod events;
mod objects;
mod payments;
mod processor;
pub(crate) mod rules;
pub(crate) mod sums;
pub mod violation;

use std::collections::BTreeMap;

use serde_json::Value;
use time::OffsetDateTime;

use crate::api::eventually::{Deadline, eventually};
use crate::stack::Stack;
use crate::table::{Item, Table};
use crate::violation::{Kind, Violation};

pub use sums::{Accounts, Balances, figures};

use rules::{NOT_CREATED, RETURNED, Resource};

/// All items of one tenant.
#[derive(Debug, Clone, Default)]
pub struct Books {
    /// Payments by id.
    pub payments: BTreeMap<String, Item>,
    /// Other objects with a status, by id: refunds, payouts and disputes.
    pub others: BTreeMap<String, Item>,
    /// Journal entries.
    pub entries: Vec<Item>,
    /// Movements that still exist.
    pub movements: Vec<Item>,
    /// Events.
    pub events: Vec<Item>,
    /// Deliveries of events to endpoints.
    pub deliveries: Vec<Item>,
    /// Balances by currency: the first part of each.
    pub balances: BTreeMap<String, Item>,
    /// The other parts of balances.
    pub parts: Vec<Item>,
    /// Calls of the sandbox processor, by its reference.
    pub charges: BTreeMap<String, Vec<Item>>,
    /// The merchant.
    pub merchant: Option<Item>,
}

impl Books {
    /// Reads the books of `tenant` (`mer_…#test`).
    pub async fn read(table: &Table, tenant: &str) -> Books {
        Books::of(table.items().await, tenant)
    }

    /// The books of `tenant` from all items of the table.
    pub fn of(items: Vec<Item>, tenant: &str) -> Books {
        let mut books = Books::default();
        let merchant = tenant.split('#').next().unwrap_or_default();
        for item in items.into_iter().map(flat) {
            let (pk, sk) = (text(&item, "pk").to_owned(), text(&item, "sk").to_owned());
            if let Some(reference) = pk.strip_prefix("sandbox#") {
                books.charges.entry(reference.to_owned()).or_default().push(item);
            } else if pk == merchant && sk == "merchant" {
                books.merchant = Some(item);
            } else if let Some(rest) = pk.strip_prefix(tenant).and_then(|rest| rest.strip_prefix('#')) {
                books.file(rest, sk, item);
            }
        }
        books
    }

    /// Sorts an item into its place. `key` is its partition key without the tenant.
    fn file(&mut self, key: &str, sk: String, item: Item) {
        match key.split(['#', '_']).next().unwrap_or_default() {
            "journal" => self.entries.push(item),
            "movements" => self.movements.push(item),
            "events" => self.events.push(item),
            "evt" => self.deliveries.push(item),
            "balances" if key == "balances" => drop(self.balances.insert(sk, item)),
            "balances" => self.parts.push(item),
            _ if sk == "payment" => drop(self.payments.insert(key.to_owned(), item)),
            _ if Resource::named(&sk).is_some() => drop(self.others.insert(key.to_owned(), item)),
            _ => {}
        }
    }

    /// All faults of the books; empty if all work is finished and correct.
    pub fn faults(&self) -> Vec<String> {
        let broken = self.violations();
        self.unfinished().into_iter().chain(broken.iter().map(ToString::to_string)).collect()
    }

    /// Every promise that the books break by themselves. Unfinished objects break none.
    pub fn violations(&self) -> Vec<Violation> {
        let mut found = Vec::new();
        objects::check(self, &mut found);
        events::check(self, &mut found);
        entries::check(self, &mut found);
        payments::check(self, &mut found);
        processor::check(self, &mut found);
        sums::check(self, &mut found);
        found
    }

    /// Unfinished objects, as sentences.
    fn unfinished(&self) -> Vec<String> {
        let under_way = self.objects().filter(|object| !object.is_at_rest());
        under_way.map(|object| format!("{} is {}", object.id, object.state())).collect()
    }

    /// All objects with a status.
    pub(crate) fn objects(&self) -> impl Iterator<Item = Object<'_>> {
        self.payments.iter().chain(&self.others).filter_map(|(id, item)| Object::new(id, item))
    }

    fn object(&self, id: &str) -> Option<Object<'_>> {
        let (id, item) = self.payments.get_key_value(id).or_else(|| self.others.get_key_value(id))?;
        Object::new(id, item)
    }

    /// The events of this object, by version.
    pub fn events_of(&self, id: &str) -> Vec<&Item> {
        events::by_version(self.events.iter().filter(|event| text(event, "source") == id).collect())
    }

    /// The entries of this object.
    pub fn entries_of(&self, id: &str) -> Vec<&Item> {
        self.entries.iter().filter(|entry| text(entry, "source") == id).collect()
    }
}

/// An object with a status.
#[derive(Clone, Copy)]
pub(crate) struct Object<'books> {
    pub(crate) resource: &'static Resource,
    pub(crate) id: &'books str,
    pub(crate) item: &'books Item,
}

impl<'books> Object<'books> {
    fn new(id: &'books str, item: &'books Item) -> Option<Object<'books>> {
        Some(Object { resource: Resource::named(text(item, "sk"))?, id, item })
    }

    /// Its status, or that it was returned.
    fn state(&self) -> &'books str {
        let returned = self.item.get("returned_at").is_some_and(|at| !at.is_null());
        if returned { RETURNED } else { self.item.get("status").and_then(Value::as_str).unwrap_or(NOT_CREATED) }
    }

    fn is_at_rest(&self) -> bool {
        self.resource.at_rest.contains(&self.state())
    }

    /// The payment itself, or the payment that it takes money from.
    fn payment<'all>(&self, books: &'all Books) -> Option<&'all Item> {
        let id = if self.resource.name == "payment" { self.id } else { text(self.item, "payment") };
        books.payments.get(id)
    }
}

/// Today's date in UTC, `2026-01-31`.
pub fn today() -> String {
    OffsetDateTime::now_utc().date().to_string()
}

/// Today's date in UTC plus some days.
pub fn in_days(days: i64) -> String {
    (OffsetDateTime::now_utc().date() + time::Duration::days(days)).to_string()
}

/// An object with the fields of its request beside its other fields.
fn flat(mut item: Item) -> Item {
    if let Some(Value::Object(asked)) = item.get("asked").cloned() {
        item.extend(asked);
    }
    item
}

/// Items by the object that caused them.
fn by_source(items: &[Item]) -> BTreeMap<&str, Vec<&Item>> {
    let mut by_source: BTreeMap<&str, Vec<&Item>> = BTreeMap::new();
    items.iter().for_each(|item| by_source.entry(text(item, "source")).or_default().push(item));
    by_source
}

/// A text attribute of an item; empty if it is missing.
pub(crate) fn text<'item>(item: &'item Item, name: &str) -> &'item str {
    item.get(name).and_then(Value::as_str).unwrap_or_default()
}

/// A number attribute of an item; 0 if it is missing.
fn number(item: &Item, name: &str) -> i64 {
    item.get(name).and_then(Value::as_i64).unwrap_or_default()
}

/// The UTC day of an item's time: that of `2026-01-31T12:00:00.123Z`.
fn day<'item>(item: &'item Item, name: &str) -> &'item str {
    text(item, name).split('T').next().unwrap_or_default()
}

/// Waits until the books of `tenant` have `payments` payments and no fault; returns them.
pub async fn settled(stack: &Stack, tenant: &str, payments: usize) -> Books {
    eventually("the books are right", Deadline::LATER, async || right(stack, tenant, payments).await).await
}

/// The same, with sweeps meanwhile.
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
