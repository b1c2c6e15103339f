//! The operator's request.

use spillway_domain::id::{EndpointId, EventId};
use spillway_domain::tenant::{Mode, Tenant};
use spillway_domain::time::Timestamp;
use spillway_wire::{Fields, OperatorRequest};

/// The operator's request.
#[derive(Debug)]
pub struct RedeliverEvent {
    pub(crate) tenant: Tenant,
    pub(crate) which: Which,
}

/// The deliveries that are to be sent again.
#[derive(Debug)]
pub enum Which {
    /// Those of this event. With an endpoint: only the one to it.
    Event(EventId, Option<EndpointId>),
    /// Those to this endpoint, of all events since a time.
    Since(EndpointId, Timestamp),
}

impl OperatorRequest for RedeliverEvent {
    fn read(fields: &mut Fields) -> Option<RedeliverEvent> {
        let merchant = fields.merchant("merchant");
        let mode = fields.parsed("mode", "must be \"test\" or \"live\"", Mode::parse);
        let event: Option<EventId> = fields.optional_id("event", "the id of an event");
        let endpoint: Option<EndpointId> = fields.optional_id("endpoint", "the id of a webhook endpoint");
        let since = fields.optional_time("since");
        let which = match (event, endpoint, since) {
            (Some(event), endpoint, None) => Some(Which::Event(event, endpoint)),
            (None, Some(endpoint), Some(since)) => Some(Which::Since(endpoint, since)),
            _ => fields.fault("", "must have either event, or endpoint and since"),
        };
        Some(RedeliverEvent { tenant: Tenant { merchant: merchant?, mode: mode? }, which: which? })
    }
}
