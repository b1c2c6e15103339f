//! Events: what a merchant is told, each written in the transaction that makes the change.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::id::EventId;
use crate::payment::Payment;
use crate::time::Timestamp;
use crate::webhook::Endpoint;

/// What happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub enum EventType {
    /// The money was taken.
    #[serde(rename = "payment.succeeded")]
    PaymentSucceeded,
    /// It was not, and will not be.
    #[serde(rename = "payment.failed")]
    PaymentFailed,
    /// The endpoint failed for too long, or answered that it is gone.
    #[serde(rename = "webhook_endpoint.disabled")]
    WebhookEndpointDisabled,
}

impl EventType {
    /// All of them.
    pub const ALL: [EventType; 3] =
        [EventType::PaymentSucceeded, EventType::PaymentFailed, EventType::WebhookEndpointDisabled];

    /// As written in webhooks and endpoints' filters.
    pub fn as_str(self) -> &'static str {
        match self {
            EventType::PaymentSucceeded => "payment.succeeded",
            EventType::PaymentFailed => "payment.failed",
            EventType::WebhookEndpointDisabled => "webhook_endpoint.disabled",
        }
    }

    /// The resource: what stands before the dot.
    pub fn resource(self) -> &'static str {
        self.as_str().split_once('.').map_or("", |(resource, _)| resource)
    }
}

impl fmt::Display for EventType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// An event to be written: the object as the change left it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// Follows from the object and its version, and holds the shard.
    pub id: EventId,
    /// What happened.
    pub event_type: EventType,
    /// The object at that version.
    pub object: EventObject,
    /// When it happened.
    pub timestamp: Timestamp,
    /// The request that began it.
    pub request_id: String,
}

/// What an event is about, as the change left it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EventObject {
    /// A payment.
    Payment(Box<Payment>),
    /// A webhook endpoint.
    WebhookEndpoint(Box<Endpoint>),
}

/// Endpoints have no shard: their few events are on the first.
const ENDPOINT_SHARD: u16 = 0;

impl Event {
    /// The event of the change that led to this state of the payment, on the payment's shard.
    pub fn of_payment(event_type: EventType, payment: &Payment) -> Event {
        let parts = [payment.id.as_str(), &payment.version.to_string()];
        Event {
            id: EventId::ordered(payment.updated_at, payment.shard, &parts),
            event_type,
            object: EventObject::Payment(Box::new(payment.clone())),
            timestamp: payment.updated_at,
            request_id: payment.request_id.clone(),
        }
    }

    /// The event of disabling an endpoint, which it shows as it is afterwards.
    pub fn of_disabled_endpoint(endpoint: &Endpoint, now: Timestamp) -> Event {
        let disabled = endpoint.disabled(now);
        let parts = [disabled.id.as_str(), &disabled.version.to_string()];
        Event {
            id: EventId::ordered(now, ENDPOINT_SHARD, &parts),
            event_type: EventType::WebhookEndpointDisabled,
            timestamp: now,
            request_id: endpoint.request_id.clone(),
            object: EventObject::WebhookEndpoint(Box::new(disabled)),
        }
    }

    /// The id of the object.
    pub fn source(&self) -> &str {
        match &self.object {
            EventObject::Payment(payment) => payment.id.as_str(),
            EventObject::WebhookEndpoint(endpoint) => endpoint.id.as_str(),
        }
    }
}
