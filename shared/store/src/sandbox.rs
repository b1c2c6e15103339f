//! The books of the sandbox processor. They are separate from Spillway's data, so that a double charge can be detected.

use serde::Deserialize;
use spillway_domain::operation::{Operation, Verb};
use spillway_domain::time::{Expiry, Timestamp};

use super::edit::Edit;
use super::expression::{Comparison, Test};
use super::{EXPIRES_AT, Item, Store, StoreError, keys, number, text};

/// Days for which the sandbox stores its books: longer than any operation is looked up.
const RETENTION_DAYS: u32 = 30;

/// The calls of the sandbox for our reference with one idempotency key. Each key has its own item, so a payment that is
/// charged with two keys has two items.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct SandboxCall {
    /// The number of calls.
    pub calls: u32,
    /// Whether money was moved.
    #[serde(skip)]
    pub is_done: bool,
}

/// Two attributes of an operation with this verb: how often it was done, and when it was last done. None for an undo,
/// which moves no money in the sandbox: the undone charge stays counted.
fn counter(verb: Verb) -> Option<(&'static str, &'static str)> {
    match verb {
        Verb::Authorize => Some(("charges", "charged_at")),
        Verb::Refund => Some(("refunds", "refunded_at")),
        Verb::Undo => None,
    }
}

impl Store {
    /// Counts a call, and returns the calls so far. A call that the SDK repeats because its reply was lost counts once.
    pub async fn count_sandbox_call(&self, operation: &Operation, now: Timestamp) -> Result<SandboxCall, StoreError> {
        let edit = Edit::new()
            .add("calls", 1)
            .set("schema", number(super::SCHEMA))
            .set_once("called_at", text(now.to_string()))
            .set(EXPIRES_AT, number(Expiry::after(now, RETENTION_DAYS).seconds()));
        match self.edited(&key(operation), edit, Vec::new()).await? {
            Some(item) => self.sandbox_call(item),
            None => Err(StoreError::Unavailable("the call was not counted".to_owned())),
        }
    }

    /// Moves the operation's money, unless that was done with the same key after `remembered_since`. If two calls run
    /// at the same time, one of them moves the money.
    pub async fn sandbox_move(
        &self, operation: &Operation, remembered_since: Timestamp, now: Timestamp,
    ) -> Result<(), StoreError> {
        let Some((count, at)) = counter(operation.verb) else { return Ok(()) };
        let edit = Edit::new().set(at, text(now.to_string())).add(count, 1);
        let since = text(remembered_since.to_string());
        let when = vec![Test::LacksOrCompares(at, Comparison::Below, since)];
        self.edit(&key(operation), edit, when).await.map(drop)
    }

    /// The calls for our reference of the operation, with any key. Errors if an item can't be read.
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
