//! What one commit makes true at once.

use crate::event::Event;
use crate::id::ObjectId;
use crate::ledger::{JournalEntry, LedgerError, Movement};
use crate::money::{Minor, OutOfRange};
use crate::resource::{ForbiddenMove, Resource};
use crate::tenant::Tenant;
use crate::time::Timestamp;

/// A resource's step to its next state, and all that becomes true with it: committed by one call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change<T: Resource> {
    /// The resource as it was read. None if the change creates it.
    pub before: Option<T>,
    /// The resource as it becomes.
    pub after: T,
    /// Relative changes of other resources.
    pub adjusts: Vec<Adjust<T::Refusal>>,
    /// Journal entries, each with the movement of the merchant's balance if it changes the balance.
    pub entries: Vec<(JournalEntry, Option<Movement>)>,
    /// What the merchant is told.
    pub events: Vec<Event>,
}

impl<T: Resource> Change<T> {
    /// The creation of a resource and nothing else.
    pub fn creation(after: T) -> Change<T> {
        Change { before: None, after, adjusts: Vec::new(), entries: Vec::new(), events: Vec::new() }
    }

    /// The step of a resource from one state to the next and nothing else.
    pub fn step(before: T, after: T) -> Change<T> {
        Change { before: Some(before), ..Change::creation(after) }
    }
}

/// A relative change of amounts of another resource, which other requests change at the same time. It moves that
/// resource's version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Adjust<R> {
    /// The type of the resource: its [`Resource::NAME`].
    pub name: &'static str,
    /// Merchant and mode that own it.
    pub owner: Tenant,
    /// Its id.
    pub id: ObjectId,
    /// What is added to which of its amounts. An amount that it does not have counts as 0.
    pub adds: Vec<(&'static str, Minor)>,
    /// Amounts that must be at least so much before the change.
    pub needs: Vec<(&'static str, Minor)>,
    /// The time that becomes the resource's `updated_at`.
    pub at: Timestamp,
    /// What it means if an amount of `needs` is too small. None if nothing is needed but that the resource is there.
    pub refused: Option<R>,
}

/// Why a change can't be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ChangeError {
    /// The entry can't be made.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// The resource's status does not allow it.
    #[error(transparent)]
    Forbidden(#[from] ForbiddenMove),
    /// The price is not known.
    #[error("the terms of the capture are missing")]
    NoTerms,
}

impl From<OutOfRange> for ChangeError {
    fn from(error: OutOfRange) -> ChangeError {
        ChangeError::Ledger(error.into())
    }
}
