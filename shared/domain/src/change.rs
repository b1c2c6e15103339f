//! Changes: everything that one commit writes.

use crate::event::Event;
use crate::id::{ObjectId, PayerId};
use crate::ledger::{JournalEntry, LedgerError, Movement};
use crate::money::{Minor, OutOfRange};
use crate::resource::{ForbiddenMove, Resource};
use crate::tenant::Tenant;
use crate::time::Timestamp;

/// One step of a resource to its next state, with its effects: adjustments, journal entries and events. One commit
/// writes all of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change<T: Resource> {
    /// The resource as it was read. None if the change creates it.
    pub before: Option<T>,
    /// The resource after the change.
    pub after: T,
    /// Changes of amounts of other resources.
    pub adjustments: Vec<Adjustment<T::Refusal>>,
    /// Journal entries, each with the movement of the merchant's balance if it changes the balance.
    pub entries: Vec<(JournalEntry, Option<Movement>)>,
    /// Events for the merchant's webhook endpoints.
    pub events: Vec<Event>,
    /// Card and customer of a payment that has failed: each loses a token of its bucket.
    pub failed_payers: Vec<PayerId>,
}

impl<T: Resource> Change<T> {
    /// The creation of a resource without further effects.
    pub fn creation(after: T) -> Change<T> {
        Change {
            before: None,
            after,
            adjustments: Vec::new(),
            entries: Vec::new(),
            events: Vec::new(),
            failed_payers: Vec::new(),
        }
    }

    /// A step from one state to the next without further effects.
    pub fn step(before: T, after: T) -> Change<T> {
        Change { before: Some(before), ..Change::creation(after) }
    }
}

/// A change of amounts of another resource. It says how much to add to each amount, not the new amount, because other
/// requests change the same amounts at the same time. It increments that resource's version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Adjustment<R> {
    /// The type of the resource: its [`Resource::NAME`].
    pub name: &'static str,
    /// Merchant and mode that own the resource.
    pub owner: Tenant,
    /// Id of the resource.
    pub id: ObjectId,
    /// Attribute names, each with the minor units to add. A missing attribute counts as 0.
    pub adds: Vec<(&'static str, Minor)>,
    /// Attribute names, each with the least value in minor units that it must have before the change.
    pub needs: Vec<(&'static str, Minor)>,
    /// The time that becomes the resource's `updated_at`.
    pub at: Timestamp,
    /// The refusal if an amount of `needs` is too small. None if the only condition is that the resource exists.
    pub refused: Option<R>,
}

/// Why a change can't be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ChangeError {
    /// A journal entry breaks a rule of the ledger.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// The resource's status does not allow the change.
    #[error(transparent)]
    Forbidden(#[from] ForbiddenMove),
    /// The terms of the capture are missing, so its fee is unknown.
    #[error("the terms of the capture are missing")]
    NoTerms,
}

impl From<OutOfRange> for ChangeError {
    fn from(error: OutOfRange) -> ChangeError {
        ChangeError::Ledger(error.into())
    }
}
