//! The view of events.

use schemars::JsonSchema;
use serde::Serialize;
use serde_json::value::RawValue;
use spillway_domain::event::EventType;
use spillway_domain::id::{EventId, EventKind};
use spillway_domain::time::Timestamp;

use super::schema::{AnyObject, IdOf, Time};

/// An event.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Event")]
pub struct EventView<'a> {
    /// The id. It is also the header `webhook-id` of every attempt to deliver the event.
    #[schemars(with = "IdOf<EventKind>")]
    id: &'a str,
    /// Always `event`.
    #[schemars(extend("const" = "event"))]
    object: &'static str,
    /// The type of the event.
    #[serde(rename = "type")]
    event_type: EventType,
    /// The time of the event.
    #[schemars(with = "Time")]
    timestamp: Timestamp,
    /// The object as it was after the event.
    #[schemars(with = "AnyObject")]
    data: &'a RawValue,
}

impl<'a> EventView<'a> {
    /// The view of an event. `data`: the view of its object, rendered at the time of the event.
    pub fn new(id: &'a EventId, event_type: EventType, timestamp: Timestamp, data: &'a RawValue) -> EventView<'a> {
        EventView { id: id.as_str(), object: "event", event_type, timestamp, data }
    }
}
