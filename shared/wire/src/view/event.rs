//! An event as its merchant sees it.

use schemars::JsonSchema;
use serde::Serialize;
use serde_json::value::RawValue;
use spillway_domain::event::EventType;
use spillway_domain::id::{EventId, EventKind};
use spillway_domain::time::Timestamp;

use super::schema::{AnyObject, IdOf, Time};

/// The wire shape of an event.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Event")]
pub struct EventView<'a> {
    /// Equals the header `webhook-id` of every attempt to deliver it.
    #[schemars(with = "IdOf<EventKind>")]
    id: &'a str,
    /// Always `event`.
    #[schemars(extend("const" = "event"))]
    object: &'static str,
    /// What happened.
    #[serde(rename = "type")]
    event_type: EventType,
    /// The time at which it happened.
    #[schemars(with = "Time")]
    timestamp: Timestamp,
    /// The object as the event left it.
    #[schemars(with = "AnyObject")]
    data: &'a RawValue,
}

impl<'a> EventView<'a> {
    /// The wire shape of an event. `data` is its object as it was rendered when the event happened.
    pub fn new(id: &'a EventId, event_type: EventType, timestamp: Timestamp, data: &'a RawValue) -> EventView<'a> {
        EventView { id: id.as_str(), object: "event", event_type, timestamp, data }
    }
}
