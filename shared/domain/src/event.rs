//! Events. Each is written in the transaction that makes the change, and sent to the merchant's webhook endpoints.

use strum::{EnumMessage, EnumString, IntoStaticStr, VariantArray};

use crate::id::{EndpointId, EventId, Kind, ObjectId};
use crate::resource::Meta;
use crate::text::as_text;
use crate::time::Timestamp;
use crate::trace::Trace;

/// The type of an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, EnumMessage, EnumString, IntoStaticStr, VariantArray)]
pub enum EventType {
    /// The payment was captured.
    #[strum(serialize = "payment.succeeded")]
    PaymentSucceeded,
    /// The payment failed. No money was taken, or a charge that appears later is given back.
    #[strum(serialize = "payment.failed")]
    PaymentFailed,
    /// The refund was accepted, and its amount was taken from the balance.
    #[strum(serialize = "refund.created")]
    RefundCreated,
    /// The processor has given the money back.
    #[strum(serialize = "refund.succeeded")]
    RefundSucceeded,
    /// The processor has refused the refund. Its amount was returned to the balance.
    #[strum(serialize = "refund.failed")]
    RefundFailed,
    /// The webhook endpoint was disabled, because it failed for too long or answered 410 (Gone).
    #[strum(serialize = "webhook_endpoint.disabled")]
    WebhookEndpointDisabled,
    /// A test that the merchant requested. It is sent to the tested endpoint only, regardless of its `event_types`.
    #[strum(serialize = "webhook_endpoint.test")]
    WebhookEndpointTest,
}

as_text!(EventType);

impl EventType {
    /// The resource: the part before the dot, such as `payment`.
    pub fn resource(self) -> &'static str {
        self.as_str().split_once('.').map_or("", |(resource, _)| resource)
    }
}

/// An event to be written. Its body shows the object after the change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// Derived from the object and its version. It contains the shard.
    pub id: EventId,
    /// The type, such as `payment.succeeded`.
    pub event_type: EventType,
    /// The id of the object that changed.
    pub source: ObjectId,
    /// The only endpoint that receives the event. None if every endpoint with a matching filter receives it.
    pub only: Option<EndpointId>,
    /// The time of the change.
    pub timestamp: Timestamp,
    /// Id of the request that created the object, or that requested a test.
    pub request_id: String,
    /// The trace that the client sent with this request.
    pub trace: Option<Trace>,
}

impl Event {
    /// The event of the change to this version of the object. It is stored on the object's shard.
    pub fn of<K: Kind + Clone>(event_type: EventType, object: &Meta<K>) -> Event {
        let parts = [object.id.as_str(), &object.version.to_string()];
        Event {
            id: EventId::ordered(object.updated_at, object.shard, &parts),
            event_type,
            source: object.id.clone().into(),
            only: None,
            timestamp: object.updated_at,
            request_id: object.request_id.clone(),
            trace: object.trace.clone(),
        }
    }
}
