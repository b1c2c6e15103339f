//! What a message says.

use serde::{Deserialize, Serialize};
use spillway_domain::currency::Currency;
use spillway_domain::id::{EndpointId, EventId, PaymentId};
use spillway_domain::tenant::Tenant;

/// Something that may need work.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(tag = "thing", rename_all = "snake_case")]
pub enum Thing {
    /// A payment.
    Payment {
        /// Whose.
        tenant: Tenant,
        /// Which.
        id: PaymentId,
    },
    /// A balance.
    Balance {
        /// Whose.
        tenant: Tenant,
        /// In which currency.
        currency: Currency,
    },
    /// An event.
    Event {
        /// Whose.
        tenant: Tenant,
        /// Which.
        id: EventId,
    },
    /// The delivery of an event to an endpoint.
    Delivery {
        /// Whose.
        tenant: Tenant,
        /// Of which event.
        event: EventId,
        /// To which endpoint.
        endpoint: EndpointId,
    },
    /// A webhook endpoint that works again: what waits for it.
    Endpoint {
        /// Whose.
        tenant: Tenant,
        /// Which.
        id: EndpointId,
        /// The event behind which the next page begins. None for the first page.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        after: Option<EventId>,
    },
}

/// The queue that a thing's messages are sent to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum QueueName {
    /// Work at a processor.
    Processor,
    /// Folding movements into balances.
    Folds,
    /// Delivering events.
    Webhooks,
}

impl QueueName {
    /// All of them.
    pub const ALL: [QueueName; 3] = [QueueName::Processor, QueueName::Folds, QueueName::Webhooks];

    /// The variable with its URL.
    pub(super) fn variable(self) -> &'static str {
        match self {
            QueueName::Processor => "PROCESSOR_QUEUE_URL",
            QueueName::Folds => "FOLDS_QUEUE_URL",
            QueueName::Webhooks => "WEBHOOKS_QUEUE_URL",
        }
    }
}

impl Thing {
    /// Where its messages go.
    pub fn queue(&self) -> QueueName {
        match self {
            Thing::Payment { .. } => QueueName::Processor,
            Thing::Balance { .. } => QueueName::Folds,
            Thing::Event { .. } | Thing::Delivery { .. } | Thing::Endpoint { .. } => QueueName::Webhooks,
        }
    }

    /// Whose it is.
    pub fn tenant(&self) -> &Tenant {
        match self {
            Thing::Payment { tenant, .. }
            | Thing::Balance { tenant, .. }
            | Thing::Event { tenant, .. }
            | Thing::Delivery { tenant, .. }
            | Thing::Endpoint { tenant, .. } => tenant,
        }
    }

    /// For the log: the id, or the mode and the currency.
    pub fn subject(&self) -> String {
        match self {
            Thing::Payment { id, .. } => id.to_string(),
            Thing::Balance { tenant, currency } => format!("{} {currency}", tenant.mode.as_str()),
            Thing::Event { id, .. } => id.to_string(),
            Thing::Delivery { event, endpoint, .. } => format!("{event} {endpoint}"),
            Thing::Endpoint { id, .. } => id.to_string(),
        }
    }
}

#[cfg(test)]
mod tests {
    use spillway_domain::id::MerchantId;
    use spillway_domain::tenant::Mode;

    use super::*;

    #[test]
    fn a_message_is_written_and_read_the_same_way() {
        let tenant = Tenant { merchant: MerchantId::derive(&["m"]), mode: Mode::Test };
        let thing = Thing::Payment { tenant: tenant.clone(), id: PaymentId::derive(&["p"]) };
        let text = serde_json::to_string(&thing).unwrap();
        assert_eq!(text, format!(r#"{{"thing":"payment","tenant":"{tenant}","id":"{}"}}"#, thing.subject()));
        assert_eq!(serde_json::from_str::<Thing>(&text).unwrap(), thing);
    }

    #[test]
    fn the_first_page_of_an_endpoint_names_no_event() {
        let tenant = Tenant { merchant: MerchantId::derive(&["m"]), mode: Mode::Test };
        let (id, event) = (EndpointId::derive(&["w"]), EventId::derive(&["e"]));
        for (after, end) in [(None, String::new()), (Some(event.clone()), format!(r#","after":"{event}""#))] {
            let thing = Thing::Endpoint { tenant: tenant.clone(), id: id.clone(), after };
            let text = serde_json::to_string(&thing).unwrap();
            assert_eq!(text, format!(r#"{{"thing":"endpoint","tenant":"{tenant}","id":"{id}"{end}}}"#));
            assert_eq!(serde_json::from_str::<Thing>(&text).unwrap(), thing);
        }
    }
}
