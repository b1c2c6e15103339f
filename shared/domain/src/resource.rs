//! What all resources have in common: metadata, allowed changes of status, and the result of a creation.

use std::fmt::{Debug, Display};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::id::{Id, Kind, ObjectId};
use crate::idempotency::Fingerprint;
use crate::operation::Progress;
use crate::tenant::Tenant;
use crate::time::Timestamp;
use crate::trace::Trace;

/// The metadata of a resource. `K` is the kind of its id.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(bound = "K: Kind")]
pub struct Meta<K> {
    /// The id, derived from the owner and the idempotency key.
    pub id: Id<K>,
    /// Merchant and mode that own the resource.
    pub owner: Tenant,
    /// The merchant's shard of the resource and of its entries, movements and events.
    pub shard: u16,
    /// 1 at creation. Each change of the view adds 1.
    pub version: u64,
    /// The fingerprint of the body of the request that created the resource.
    pub fingerprint: Fingerprint,
    /// Id of the request that created the resource.
    pub request_id: String,
    /// The trace that the client sent with this request.
    pub trace: Option<Trace>,
    /// The time of acceptance.
    pub created_at: Timestamp,
    /// The time of the last change of `version`.
    pub updated_at: Timestamp,
}

/// The request that creates a resource.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cause {
    /// Id of the request.
    pub request_id: String,
    /// The trace that the client sent.
    pub trace: Option<Trace>,
    /// Fingerprint of its body.
    pub fingerprint: Fingerprint,
    /// The time of acceptance.
    pub at: Timestamp,
}

impl<K> Meta<K> {
    /// The position in a list that is sorted by time of creation. Positions sort as texts, because times have a fixed
    /// width.
    pub fn position(&self) -> String {
        format!("{}#{}", self.created_at, self.id)
    }
}

impl<K: Clone> Meta<K> {
    /// The metadata of a new resource, at version 1.
    pub fn new(id: Id<K>, owner: Tenant, shard: u16, cause: Cause) -> Meta<K> {
        let Cause { request_id, trace, fingerprint, at } = cause;
        Meta { id, owner, shard, version: 1, fingerprint, request_id, trace, created_at: at, updated_at: at }
    }

    /// The metadata as it was at version 1.
    pub fn first(&self) -> Meta<K> {
        Meta { version: 1, updated_at: self.created_at, ..self.clone() }
    }

    /// The metadata at the next version, updated at `now`.
    pub fn moved(&self, now: Timestamp) -> Meta<K> {
        Meta { version: self.version + 1, updated_at: now, ..self.clone() }
    }
}

/// An index that finds resources by a value of the merchant's own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Finder {
    /// The merchant's own id of the resource.
    Reference,
    /// The merchant's own id of the customer.
    Customer,
}

/// A resource with a status.
pub trait Resource: Serialize + DeserializeOwned + Debug + Clone + Send + Sync + 'static {
    /// The kind of its id.
    type Kind: Kind + Clone;
    /// The type of its status.
    type Status: Copy + Eq + Serialize + Display + 'static;
    /// The refusal if a change requires amounts of another resource that are too small. `Infallible` if no change does.
    type Refusal: Debug + Clone + PartialEq + Eq + Send + Sync + 'static;

    /// The singular name, such as `payment`. Table keys contain it.
    const NAME: &'static str;
    /// The plural name, such as `payments`. Table keys contain it.
    const PLURAL: &'static str;
    /// All allowed changes of status, as pairs (from, to). A status without an allowed change is final.
    const MOVES: &'static [(Self::Status, Self::Status)];

    /// The metadata.
    fn meta(&self) -> &Meta<Self::Kind>;

    /// The status.
    fn status(&self) -> Self::Status;

    /// The resource as it was accepted, computed from its constant fields. It is the answer to a repeated request.
    fn as_accepted(&self) -> Self;

    /// The resource for a cache, if it can never change again. None if anything can still change what a client sees of
    /// it. What only a processor needs is left out.
    fn lasting(self) -> Option<Self>;

    /// The progress of the present operation. None if the resource does not wait for a processor.
    fn progress(&self) -> Option<&Progress> {
        None
    }

    /// The id of the resource under which this one is listed. None if it is listed under its owner.
    fn parent(&self) -> Option<ObjectId> {
        None
    }

    /// The merchant's own values by which this resource is found.
    fn found_by(&self) -> Vec<(Finder, &str)> {
        vec![]
    }
}

/// A change of status that is not in [`Resource::MOVES`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("no such move is allowed")]
pub struct ForbiddenMove;

/// Errors unless the resource type `T` allows this change of status.
pub fn allow<T: Resource>(from: T::Status, to: T::Status) -> Result<(), ForbiddenMove> {
    if T::MOVES.contains(&(from, to)) { Ok(()) } else { Err(ForbiddenMove) }
}

/// The result of a request to create a resource.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Creation<T: Resource> {
    /// The resource was stored.
    New,
    /// The same request was accepted before.
    Repeated {
        /// The resource as it was accepted.
        first: T,
        /// Whether the write was repeated by Spillway, not by the client: an earlier try of this request stored the
        /// resource, but its reply was lost.
        by_itself: bool,
    },
    /// Another request has used the idempotency key. Nothing was written.
    KeyReused,
    /// An amount of another resource is too small. Nothing was written.
    Refused(T::Refusal),
}
