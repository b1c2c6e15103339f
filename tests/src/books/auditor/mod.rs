//! Recomputes the books of a tenant from the table alone and compares them with what the system keeps.
//!
//! Its arithmetic is its own: it shares no code with what it checks.

mod check;
mod sums;

use std::collections::BTreeMap;

use serde_json::Value;
use time::OffsetDateTime;

use crate::api::eventually::{Deadline, eventually};
use crate::stack::Stack;
use crate::table::{Item, Table};

pub use sums::{Accounts, Balances, figures};
pub(crate) use sums::{expected_legs, shown};

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
                "balances" => drop(books.balances.insert(format!("{sk} {kind}"), item)),
                _ => {}
            }
        }
        books
    }

    /// What is wrong with the books; empty when every payment is final and all is as it should be.
    pub fn faults(&self) -> Vec<String> {
        let broken = self.violations();
        self.unfinished().into_iter().chain(broken.iter().map(ToString::to_string)).collect()
    }

    /// The payments that are not final, as sentences.
    fn unfinished(&self) -> Vec<String> {
        let all = self.payments.iter().map(|(id, payment)| (id, text(payment, "status")));
        all.filter(|(_, status)| !check::is_final(status)).map(|(id, status)| format!("{id} is {status}")).collect()
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
}

/// Today's date in UTC, `2026-01-31`.
pub fn today() -> String {
    OffsetDateTime::now_utc().date().to_string()
}

/// Today's date in UTC plus some days.
pub fn in_days(days: i64) -> String {
    (OffsetDateTime::now_utc().date() + time::Duration::days(days)).to_string()
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
