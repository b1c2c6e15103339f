//! Webhook endpoints: how many a tenant may have, when one is down, and when it is disabled.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::filter::EventFilter;
use crate::event::EventType;
use crate::id::EndpointKind;
use crate::resource::Meta;
use crate::time::Timestamp;

/// Enabled endpoints of a tenant at most: each event is offered to all of them.
pub const ENABLED_MAX: usize = 20;
/// Endpoints of a tenant at most, disabled ones included: all are read for each batch of events.
pub const ENDPOINTS_MAX: usize = 100;

/// Which of the two limits keeps a tenant from another endpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EndpointLimit {
    /// [`ENABLED_MAX`]: one that is disabled makes room.
    Enabled,
    /// [`ENDPOINTS_MAX`].
    All,
}

/// An endpoint that failed for this long is disabled: 120 hours.
pub const DISABLED_AFTER_MS: i64 = 120 * 3_600_000;
/// An endpoint that has failed for this long is down.
const DOWN_AFTER_MS: i64 = 5 * 60_000;
/// While an endpoint is down, a new event tries it this often.
pub const PROBE_EVERY_MS: i64 = 60_000;

/// Whether an endpoint gets events.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum EndpointStatus {
    /// It does.
    Enabled,
    /// It failed for too long, or answered 410.
    Disabled,
}

/// One generation of an endpoint's signing secret.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Secret {
    /// 1 for the first.
    pub generation: u32,
    /// `whsec_…`.
    pub text: String,
    /// The time from which it signs no more. None for the newest.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub until: Option<Timestamp>,
}

/// Without the secret itself, which is never logged.
impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Secret")
            .field("generation", &self.generation)
            .field("until", &self.until)
            .finish_non_exhaustive()
    }
}

/// A webhook endpoint as stored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Endpoint {
    /// Id, owner, version and times.
    #[serde(flatten)]
    pub meta: Meta<EndpointKind>,
    /// Where to post.
    pub url: String,
    /// What to post.
    pub event_types: Vec<EventFilter>,
    /// What signs, the newest first.
    pub secrets: Vec<Secret>,
    /// Whether it gets events.
    pub status: EndpointStatus,
    /// The time from which every attempt has failed.
    pub failing_since: Option<Timestamp>,
    /// While it is down: the time from which a new event may try it.
    pub probe_at: Option<Timestamp>,
    /// The time at which it last worked again after it had been down.
    pub works_since: Option<Timestamp>,
}

/// What becomes of a new event for an endpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FirstStep {
    /// It is attempted.
    Attempt,
    /// It is attempted, to find out whether the endpoint works again. One event has to claim that.
    Probe,
    /// It is put off.
    PutOff,
}

impl Endpoint {
    /// The secrets that sign at `now`, the newest first.
    pub fn signing(&self, now: Timestamp) -> impl Iterator<Item = &str> {
        let signs = move |secret: &&Secret| secret.until.is_none_or(|until| now < until);
        self.secrets.iter().filter(signs).map(|secret| secret.text.as_str())
    }

    /// Whether an event is to be delivered to it.
    pub fn wants(&self, event_type: EventType) -> bool {
        self.status == EndpointStatus::Enabled && self.event_types.iter().any(|filter| filter.matches(event_type))
    }

    /// Whether it has failed for so long that new events are put off: a dead endpoint must not hold up others.
    pub fn is_down(&self, now: Timestamp) -> bool {
        self.failing_since.is_some_and(|since| now.since(since) >= DOWN_AFTER_MS)
    }

    /// What to do with a new event.
    pub fn first_step(&self, now: Timestamp) -> FirstStep {
        match self.is_down(now) {
            false => FirstStep::Attempt,
            true if self.probe_at.is_none_or(|at| at <= now) => FirstStep::Probe,
            true => FirstStep::PutOff,
        }
    }

    /// The endpoint as disabled at `now`.
    pub fn disabled(&self, now: Timestamp) -> Endpoint {
        Endpoint { status: EndpointStatus::Disabled, meta: self.meta.moved(now), ..self.clone() }
    }
}
