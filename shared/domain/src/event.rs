//! Events: what a merchant is told, each written in the transaction that makes the change.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::id::EventId;
use crate::payment::Payment;
use crate::time::Timestamp;

/// What happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum EventType {
    /// The money was taken.
    #[serde(rename = "payment.succeeded")]
    PaymentSucceeded,
    /// It was not, and will not be.
    #[serde(rename = "payment.failed")]
    PaymentFailed,
}

impl EventType {
    /// All of them.
    pub const ALL: [EventType; 2] = [EventType::PaymentSucceeded, EventType::PaymentFailed];

    /// As written in webhooks and endpoints' filters.
    pub fn as_str(self) -> &'static str {
        match self {
            EventType::PaymentSucceeded => "payment.succeeded",
            EventType::PaymentFailed => "payment.failed",
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
    /// The payment at that version.
    pub payment: Payment,
    /// When it happened.
    pub timestamp: Timestamp,
}

impl Event {
    /// The event of the change that led to this state of the payment, on the payment's shard.
    pub fn of_payment(event_type: EventType, payment: &Payment) -> Event {
        let parts = [payment.id.as_str(), &payment.version.to_string()];
        Event {
            id: EventId::ordered(payment.updated_at, payment.shard, &parts),
            event_type,
            payment: payment.clone(),
            timestamp: payment.updated_at,
        }
    }
}
