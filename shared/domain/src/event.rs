//! Events: what a merchant is told, each written in the transaction that makes the change.

use crate::id::{EndpointId, EventId, Kind, ObjectId};
use crate::resource::Meta;
use crate::text::as_text;
use crate::time::Timestamp;

/// What happened.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    Hash,
    strum::EnumMessage,
    strum::EnumString,
    strum::IntoStaticStr,
    strum::VariantArray,
)]
pub enum EventType {
    /// The money was taken.
    #[strum(serialize = "payment.succeeded")]
    PaymentSucceeded,
    /// It was not, and will not be.
    #[strum(serialize = "payment.failed")]
    PaymentFailed,
    /// The refund was accepted, and its amount taken from the balance.
    #[strum(serialize = "refund.created")]
    RefundCreated,
    /// The processor has given the money back.
    #[strum(serialize = "refund.succeeded")]
    RefundSucceeded,
    /// The processor has refused the refund. Its amount is in the balance again.
    #[strum(serialize = "refund.failed")]
    RefundFailed,
    /// The endpoint failed for too long, or answered that it is gone.
    #[strum(serialize = "webhook_endpoint.disabled")]
    WebhookEndpointDisabled,
    /// A test that its merchant asked for. It goes to the tested endpoint alone, whatever that endpoint's `event_types` are.
    #[strum(serialize = "webhook_endpoint.test")]
    WebhookEndpointTest,
}

as_text!(EventType);

impl EventType {
    /// The resource: what stands before the dot.
    pub fn resource(self) -> &'static str {
        self.as_str().split_once('.').map_or("", |(resource, _)| resource)
    }
}

/// An event to be written. It shows its object as the change leaves it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// Follows from the object and its version, and holds the shard.
    pub id: EventId,
    /// What happened.
    pub event_type: EventType,
    /// The id of the object.
    pub source: ObjectId,
    /// The one endpoint that it is for. None if it is for all that want events of its type.
    pub only: Option<EndpointId>,
    /// When it happened.
    pub timestamp: Timestamp,
    /// The request that began it.
    pub request_id: String,
}

impl Event {
    /// The event of the change that led to this version of an object, on the object's shard.
    pub fn of<K: Kind + Clone>(event_type: EventType, object: &Meta<K>) -> Event {
        let parts = [object.id.as_str(), &object.version.to_string()];
        Event {
            id: EventId::ordered(object.updated_at, object.shard, &parts),
            event_type,
            source: object.id.clone().into(),
            only: None,
            timestamp: object.updated_at,
            request_id: object.request_id.clone(),
        }
    }
}
