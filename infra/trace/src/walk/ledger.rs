//! Journal entries, and whether their movements are in the balance.

use serde_json::Value;
use spillway_domain::balance::part_of;
use spillway_domain::currency::Currency;
use spillway_domain::id::EntryId;
use spillway_domain::ledger::MovementKey;
use spillway_domain::time::Day;
use spillway_store::keys;

use super::Walk;
use crate::error::TraceError;
use crate::history::{Wait, text};
use crate::table::Item;

impl Walk<'_> {
    /// An entry, and its movement.
    pub(super) async fn entry(&mut self, entry: &Item) -> Result<(), TraceError> {
        let id = text(entry, "id");
        let movement = self.movement(entry).await?;
        self.history.step(text(entry, "created_at"), "entry", format!("{id}: {}{movement}", in_words(entry)));
        self.history.name(id);
        Ok(())
    }

    /// Where the entry's movement is, in words. Empty if the entry does not change the merchant's balance. A fold adds a
    /// movement to the balance and names it there in `folding`; the next fold deletes the movement.
    async fn movement(&mut self, entry: &Item) -> Result<String, TraceError> {
        let (Some(key), true) = (movement_key(entry), changes_the_balance(entry)) else { return Ok(String::new()) };
        if self.table.item(&keys::movement(self.tenant, &key)).await?.is_none() {
            return Ok("; in the balance".to_owned());
        }
        let balance_key = keys::balance(self.tenant, key.currency, part_of(key.entry.shard()));
        let balance = self.table.item(&balance_key).await?.unwrap_or_default();
        let folding = balance.get("folding").and_then(Value::as_array).into_iter().flatten();
        if folding.filter_map(Value::as_str).any(|folded| folded == key.to_string()) {
            return Ok("; in the balance".to_owned());
        }
        let waits_for = format!("fold-balance to add it to the balance {} {}", self.tenant.mode.as_str(), key.currency);
        self.history.waits.push(Wait::of(&balance, text(entry, "id"), waits_for, text(entry, "created_at")));
        Ok("; not in the balance yet".to_owned())
    }
}

fn movement_key(entry: &Item) -> Option<MovementKey> {
    Some(MovementKey {
        currency: Currency::parse(text(entry, "currency")).ok()?,
        value_date: Day::parse(text(entry, "available_on")).ok()?,
        entry: EntryId::parse(text(entry, "id")).ok()?,
    })
}

fn postings(entry: &Item) -> impl Iterator<Item = &Value> {
    entry.get("postings").and_then(Value::as_array).into_iter().flatten()
}

fn changes_the_balance(entry: &Item) -> bool {
    postings(entry).any(|posting| posting["account"] == "merchant")
}

/// The entry's postings, such as `debit merchant 500, credit refunds_payable 500`.
fn in_words(entry: &Item) -> String {
    let text = |posting: &Value, name: &str| posting[name].as_str().unwrap_or_default().to_owned();
    let word =
        |posting: &Value| format!("{} {} {}", text(posting, "side"), text(posting, "account"), posting["amount"]);
    postings(entry).map(word).collect::<Vec<_>>().join(", ")
}
