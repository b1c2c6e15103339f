//! Webhook endpoints: how many a tenant may have, when one is down, and when it is disabled.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::filter::EventFilter;
use crate::event::{Event, EventType};
use crate::id::{EndpointId, EndpointKind, EventId};
use crate::idempotency::KeyHash;
use crate::resource::Meta;
use crate::text::as_text;
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

/// For this long after a rotation the secret before it signs too: 24 hours.
const OVERLAP_MS: i64 = 24 * 3_600_000;
/// Secrets that sign at the same time at most: a rotation ends the oldest.
const SECRETS_MAX: usize = 3;

/// Whether an endpoint gets events.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, strum::EnumMessage, strum::EnumString, strum::IntoStaticStr, strum::VariantArray,
)]
#[strum(serialize_all = "snake_case")]
pub enum EndpointStatus {
    /// Events are delivered to it.
    Enabled,
    /// No events are delivered: it failed for too long, answered 410, or was disabled by its merchant.
    Disabled,
}

as_text!(EndpointStatus);

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
    /// The key of the rotation that made it. None for the first.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rotation: Option<KeyHash>,
}

impl Secret {
    /// Whether it signs at `now`.
    pub fn signs(&self, now: Timestamp) -> bool {
        self.until.is_none_or(|until| now < until)
    }
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
pub struct WebhookEndpoint {
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
    /// The time at which it last worked again after it had been down, or was last given another address or enabled.
    pub works_since: Option<Timestamp>,
    /// The last test that was asked for.
    pub last_test: Option<LastTest>,
}

/// The last test, kept so that a repeated request posts no second event.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LastTest {
    /// The request's key.
    pub key: KeyHash,
    /// The event that it made.
    pub event: EventId,
}

/// What a merchant changes of an endpoint. None stays as it is.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct EndpointEdit {
    /// Where to post.
    pub url: Option<String>,
    /// What to post.
    pub event_types: Option<Vec<EventFilter>>,
    /// Whether it gets events.
    pub status: Option<EndpointStatus>,
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

impl WebhookEndpoint {
    /// A new one, which gets events signed by this secret.
    pub fn new(
        meta: Meta<EndpointKind>, url: String, event_types: Vec<EventFilter>, secret: String,
    ) -> WebhookEndpoint {
        WebhookEndpoint {
            meta,
            url,
            event_types,
            secrets: vec![Secret { generation: 1, text: secret, until: None, rotation: None }],
            status: EndpointStatus::Enabled,
            failing_since: None,
            probe_at: None,
            works_since: None,
            last_test: None,
        }
    }

    /// The secrets that sign at `now`, the newest first.
    pub fn signing(&self, now: Timestamp) -> impl Iterator<Item = &str> {
        self.secrets.iter().filter(move |secret| secret.signs(now)).map(|secret| secret.text.as_str())
    }

    /// Whether an event is to be delivered to it. `only`: the one endpoint that the event is for, if it is for one.
    pub fn wants(&self, event_type: EventType, only: Option<&EndpointId>) -> bool {
        let is_meant = match only {
            Some(only) => *only == self.meta.id,
            None => self.event_types.iter().any(|filter| filter.matches(event_type)),
        };
        self.status == EndpointStatus::Enabled && is_meant
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
    pub fn disabled(&self, now: Timestamp) -> WebhookEndpoint {
        WebhookEndpoint { status: EndpointStatus::Disabled, meta: self.meta.moved(now), ..self.clone() }
    }

    /// The endpoint as its merchant changes it at `now`. None if nothing changes. With another address, or enabled again,
    /// it counts as working until an attempt fails.
    pub fn edited(&self, edit: EndpointEdit, now: Timestamp) -> Option<WebhookEndpoint> {
        let EndpointEdit { url, event_types, status } = edit;
        let mut after = self.clone();
        after.url = url.unwrap_or(after.url);
        after.event_types = event_types.unwrap_or(after.event_types);
        after.status = status.unwrap_or(after.status);
        if after == *self {
            return None;
        }
        if after.url != self.url || after.status == EndpointStatus::Enabled && self.status != after.status {
            after.failing_since = None;
            after.probe_at = None;
            after.works_since = Some(now);
        }
        Some(WebhookEndpoint { meta: self.meta.moved(now), ..after })
    }

    /// The endpoint with a new secret. Those before it sign for [`OVERLAP_MS`] more, at most [`SECRETS_MAX`] in all.
    pub fn rotated(&self, text: String, rotation: KeyHash, now: Timestamp) -> WebhookEndpoint {
        let generation = self.secrets.first().map_or(1, |newest| newest.generation + 1);
        let end = now.plus_millis(OVERLAP_MS);
        let ending = |secret: &Secret| Secret { until: Some(secret.until.unwrap_or(end)), ..secret.clone() };
        let old = self.secrets.iter().map(ending).filter(|secret| secret.until.is_some_and(|until| now < until));
        let new = Secret { generation, text, until: None, rotation: Some(rotation) };
        let secrets = [new].into_iter().chain(old).take(SECRETS_MAX).collect();
        WebhookEndpoint { secrets, meta: self.meta.moved(now), ..self.clone() }
    }

    /// The secret that the rotation with this key made. None if it is not known, or was dropped. The secret may have ended.
    pub fn rotated_by(&self, rotation: &KeyHash) -> Option<&Secret> {
        self.secrets.iter().find(|secret| secret.rotation.as_ref() == Some(rotation))
    }

    /// The event of a test that the request `request_id` asks for with this key. It is for this endpoint alone.
    pub fn test(&self, key: &KeyHash, request_id: &str, now: Timestamp) -> Event {
        let id = &self.meta.id;
        Event {
            id: EventId::ordered(now, self.meta.shard, &[id.as_str(), key.as_str()]),
            event_type: EventType::WebhookEndpointTest,
            source: id.clone().into(),
            only: Some(id.clone()),
            timestamp: now,
            request_id: request_id.to_owned(),
        }
    }
}
