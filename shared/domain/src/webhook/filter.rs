//! Filters of events.

use std::fmt;

use crate::event::EventType;
use crate::text::serde_as_text;

/// A filter of the events that a webhook endpoint receives: `*`, `payment.*` or `payment.succeeded`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EventFilter {
    /// All events.
    All,
    /// All events of the same resource as this type.
    Resource(EventType),
    /// Events of this type.
    One(EventType),
}

impl EventFilter {
    /// Parses a filter. None if the text is not a filter, or no event type matches it.
    pub fn parse(text: &str) -> Option<EventFilter> {
        if text == "*" {
            return Some(EventFilter::All);
        }
        let find = |matches: &dyn Fn(EventType) -> bool| EventType::ALL.iter().copied().find(|known| matches(*known));
        match text.strip_suffix(".*") {
            Some(resource) => find(&|known| known.resource() == resource).map(EventFilter::Resource),
            None => find(&|known| known.as_str() == text).map(EventFilter::One),
        }
    }

    /// Whether events of this type pass.
    pub fn matches(self, event_type: EventType) -> bool {
        match self {
            EventFilter::All => true,
            EventFilter::Resource(any) => any.resource() == event_type.resource(),
            EventFilter::One(one) => one == event_type,
        }
    }
}

impl fmt::Display for EventFilter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            EventFilter::All => f.write_str("*"),
            EventFilter::Resource(any) => write!(f, "{}.*", any.resource()),
            EventFilter::One(one) => f.write_str(one.as_str()),
        }
    }
}

serde_as_text!(EventFilter, "not a filter of events");
