//! An event as its merchant sees it.

use schemars::JsonSchema;
use serde::Serialize;
use serde_json::value::RawValue;
use spillway_domain::event::EventType;
use spillway_domain::id::EventKind;
use spillway_domain::time::Timestamp;

use super::schema::{AnyObject, IdOf, Time};
use crate::store::{StoreError, StoredEvent};

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

/// The wire shape of a stored event.
pub fn event(event: &StoredEvent) -> Result<EventView<'_>, StoreError> {
    let data = serde_json::from_str(&event.data);
    Ok(EventView {
        id: event.id.as_str(),
        object: "event",
        event_type: event.event_type,
        timestamp: event.timestamp,
        data: data.map_err(|_| StoreError::Corrupt(format!("{}: its data can't be read", event.id)))?,
    })
}
