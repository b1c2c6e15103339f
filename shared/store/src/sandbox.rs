//! What the sandbox processor was made to do: its own books, apart from Spillway's, so that a double charge shows.

use serde::Deserialize;
use spillway_domain::operation::{Operation, Verb};
use spillway_domain::time::{Expiry, Timestamp};

use super::edit::Edit;
use super::expression::{Comparison, Test};
use super::{EXPIRES_AT, Item, Store, StoreError, keys, number, text};

/// Days for which the sandbox keeps its books: longer than anybody asks for an outcome.
const KEPT_DAYS: u32 = 30;

/// What the sandbox did for a reference under one idempotency key. Another key is another item: were a payment charged
/// under two, two items would say so.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct SandboxCall {
    /// How often it was asked.
    pub calls: u32,
    /// Whether money was moved.
    #[serde(skip)]
    pub is_done: bool,
}

/// Two attributes: how often the operation of this verb was done, and when it was done last. None if it moves no money in
/// the sandbox: what it takes back stays counted.
fn counter(verb: Verb) -> Option<(&'static str, &'static str)> {
    match verb {
        Verb::Authorize => Some(("charges", "charged_at")),
        Verb::Refund => Some(("refunds", "refunded_at")),
        Verb::Undo => None,
    }
}

impl Store {
    /// Counts a call and tells how many there were. Sent again because its reply was lost, it counts once.
    pub async fn count_sandbox_call(&self, operation: &Operation, now: Timestamp) -> Result<SandboxCall, StoreError> {
        let edit = Edit::new()
            .add("calls", 1)
            .set("schema", number(super::SCHEMA))
            .set_once("called_at", text(now.to_string()))
            .set(EXPIRES_AT, number(Expiry::after(now, KEPT_DAYS).seconds()));
        match self.edited(&key(operation), edit, Vec::new()).await? {
            Some(item) => self.sandbox_call(item),
            None => Err(StoreError::Unavailable("the call was not counted".to_owned())),
        }
    }

    /// Moves the operation's money, unless that was done under its key after `remembered_since`: of two calls at once, one
    /// does.
    pub async fn sandbox_move(
        &self, operation: &Operation, remembered_since: Timestamp, now: Timestamp,
    ) -> Result<(), StoreError> {
        let Some((count, at)) = counter(operation.verb) else { return Ok(()) };
        let edit = Edit::new().set(at, text(now.to_string())).add(count, 1);
        let since = text(remembered_since.to_string());
        let when = vec![Test::LacksOrCompares(at, Comparison::Below, since)];
        self.edit(&key(operation), edit, when).await.map(drop)
    }

    /// What was done for the operation's reference, under whatever key.
    pub async fn sandbox_calls(&self, operation: &Operation) -> Result<Vec<SandboxCall>, StoreError> {
        self.query(&key(operation).pk, "", None, |item| self.sandbox_call(item)).await?.complete()
    }

    fn sandbox_call(&self, item: Item) -> Result<SandboxCall, StoreError> {
        let is_done = Verb::ALL.iter().filter_map(|verb| counter(*verb)).any(|(count, _)| item.contains_key(count));
        Ok(SandboxCall { is_done, ..self.read(item)? })
    }
}

fn key(operation: &Operation) -> keys::TableKey {
    keys::sandbox_call(operation.reference.as_str(), &operation.key)
}
