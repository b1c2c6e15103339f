//! What the sandbox processor was made to do: its own books, apart from Spillway's, so that a double charge shows.

use serde::Deserialize;
use spillway_domain::time::{Expiry, Timestamp};

use super::edit::Edit;
use super::expression::{Comparison, Test};
use super::{EXPIRES_AT, Store, StoreError, keys, number, text};

/// Days for which the sandbox keeps its books: longer than anybody asks for an outcome.
const KEPT_DAYS: u32 = 30;

/// What the sandbox did for a reference under one idempotency key. Another key is another item: were a payment charged
/// under two, two items would say so.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct SandboxCall {
    /// How often it was asked.
    pub calls: u32,
    /// How often it took the money.
    #[serde(default)]
    pub charges: u32,
    /// When it last took the money.
    pub charged_at: Option<Timestamp>,
    /// How often it gave money of a charge back.
    #[serde(default)]
    pub refunds: u32,
}

/// What the sandbox does with money.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SandboxMove {
    /// Takes it from a card.
    Charge,
    /// Gives it back.
    Refund,
}

impl Store {
    /// Counts a call and tells how many there were. Sent again because its reply was lost, it counts once.
    pub async fn count_sandbox_call(
        &self, reference: &str, idempotency_key: &str, now: Timestamp,
    ) -> Result<SandboxCall, StoreError> {
        let edit = Edit::new()
            .add("calls", 1)
            .set("schema", number(super::SCHEMA))
            .set_once("called_at", text(now.to_string()))
            .set(EXPIRES_AT, number(Expiry::after(now, KEPT_DAYS).seconds()));
        match self.edited(&keys::sandbox_call(reference, idempotency_key), edit, Vec::new()).await? {
            Some(item) => self.read(item),
            None => Err(StoreError::Unavailable("the call was not counted".to_owned())),
        }
    }

    /// Takes or gives the money under this key, unless that was done after `remembered_since`: of two calls at once, one
    /// does.
    pub async fn sandbox_move(
        &self, moved: SandboxMove, reference: &str, idempotency_key: &str, remembered_since: Timestamp, now: Timestamp,
    ) -> Result<(), StoreError> {
        let (count, at) = match moved {
            SandboxMove::Charge => ("charges", "charged_at"),
            SandboxMove::Refund => ("refunds", "refunded_at"),
        };
        let edit = Edit::new().set(at, text(now.to_string())).add(count, 1);
        let since = text(remembered_since.to_string());
        let when = vec![Test::LacksOrCompares(at, Comparison::Below, since)];
        self.edit(&keys::sandbox_call(reference, idempotency_key), edit, when).await.map(drop)
    }

    /// What was done for a reference, under whatever key.
    pub async fn sandbox_calls(&self, reference: &str) -> Result<Vec<SandboxCall>, StoreError> {
        let partition = keys::sandbox_call(reference, "").pk;
        self.query(&partition, "", None, |item| self.read(item)).await?.complete()
    }
}
