//! What every resource repeats.

use std::fmt::{Debug, Display};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::id::{Id, Kind, ObjectId};
use crate::idempotency::Fingerprint;
use crate::operation::Asking;
use crate::tenant::Tenant;
use crate::time::Timestamp;

/// What a resource is, apart from its own fields.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(bound = "K: Kind")]
pub struct Meta<K> {
    /// Derived from the owner and the idempotency key.
    pub id: Id<K>,
    /// Merchant and mode that own it.
    pub owner: Tenant,
    /// The merchant's shard of all that follows from it.
    pub shard: u16,
    /// Moves when something moves that is rendered.
    pub version: u64,
    /// Of the body of the request that made it.
    pub fingerprint: Fingerprint,
    /// The request that made it.
    pub request_id: String,
    /// When it was accepted.
    pub created_at: Timestamp,
    /// When the version last moved.
    pub updated_at: Timestamp,
}

/// The request that makes a resource.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cause {
    /// The request's id.
    pub request_id: String,
    /// Of its body.
    pub fingerprint: Fingerprint,
    /// When it was accepted.
    pub at: Timestamp,
}

impl<K> Meta<K> {
    /// Its place in a list that is sorted by time. (Times have a fixed width.)
    pub fn position(&self) -> String {
        format!("{}#{}", self.created_at, self.id)
    }
}

impl<K: Clone> Meta<K> {
    /// A resource's first version.
    pub fn new(id: Id<K>, owner: Tenant, shard: u16, cause: Cause) -> Meta<K> {
        let Cause { request_id, fingerprint, at } = cause;
        Meta { id, owner, shard, version: 1, fingerprint, request_id, created_at: at, updated_at: at }
    }

    /// The same at its first version.
    pub fn first(&self) -> Meta<K> {
        Meta { version: 1, updated_at: self.created_at, ..self.clone() }
    }

    /// The same at the next version.
    pub fn moved(&self, now: Timestamp) -> Meta<K> {
        Meta { version: self.version + 1, updated_at: now, ..self.clone() }
    }
}

/// An index by which a merchant's own value finds resources.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Finder {
    /// The merchant's own number of it.
    Reference,
    /// The merchant's own customer.
    Customer,
}

/// What a merchant asks for and looks at, and what has a status.
pub trait Resource: Serialize + DeserializeOwned + Debug + Clone + Send + Sync + 'static {
    /// The kind of its id.
    type Kind: Kind + Clone;
    /// Where it stands.
    type Status: Copy + Eq + Serialize + Display + 'static;
    /// Why another resource does not allow a change of it. `Infallible` if no other resource is asked.
    type Refusal: Debug + Clone + PartialEq + Eq + Send + Sync + 'static;

    /// What one is called, in keys too.
    const NAME: &'static str;
    /// What several are called, in keys too.
    const PLURAL: &'static str;
    /// Every move from a status to another that is allowed. A status that no move leaves is final.
    const MOVES: &'static [(Self::Status, Self::Status)];

    /// What every resource repeats.
    fn meta(&self) -> &Meta<Self::Kind>;

    /// Where it stands.
    fn status(&self) -> Self::Status;

    /// The resource as it was accepted, from what never changes: the answer to a repeated request.
    fn as_accepted(&self) -> Self;

    /// How the processor is being asked. None if it is not.
    fn asking(&self) -> Option<&Asking> {
        None
    }

    /// The resource under which it is listed. None if it is listed under its owner.
    fn parent(&self) -> Option<ObjectId> {
        None
    }

    /// The merchant's own values that find it.
    fn found_by(&self) -> Vec<(Finder, &str)> {
        vec![]
    }
}

/// A move that the table of allowed moves does not have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("no such move is allowed")]
pub struct ForbiddenMove;

/// Errors unless a resource of this type may move from one status to another.
pub fn allow<T: Resource>(from: T::Status, to: T::Status) -> Result<(), ForbiddenMove> {
    if T::MOVES.contains(&(from, to)) { Ok(()) } else { Err(ForbiddenMove) }
}

/// How the creation of a resource that a client asked for ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Creation<T: Resource> {
    /// It is stored now.
    New,
    /// The same request was accepted before, and made this. `by_itself`: it was an earlier try of this very request, whose
    /// reply was lost.
    Repeated {
        /// The resource as it was accepted.
        first: T,
        /// Whether the client sent it once.
        by_itself: bool,
    },
    /// The id is taken by another request.
    KeyReused,
    /// Another resource does not allow it. Nothing was written.
    Refused(T::Refusal),
}
