//! Webhook endpoints: their number per tenant, their secrets, and when one is down or disabled.

use std::fmt;

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use strum::{EnumMessage, EnumString, IntoStaticStr, VariantArray};

use super::filter::EventFilter;
use crate::event::{Event, EventType};
use crate::id::{EndpointId, EndpointKind, EventId, hex};
use crate::idempotency::KeyHash;
use crate::resource::Meta;
use crate::text::as_text;
use crate::time::Timestamp;
use crate::trace::Trace;

/// The most enabled endpoints of a tenant. Each event is matched against all of them.
pub const ENABLED_MAX: usize = 20;
/// The most endpoints of a tenant, disabled ones included. All are read for each batch of events.
pub const ENDPOINTS_MAX: usize = 100;

/// Milliseconds of failures after which an endpoint is disabled: 120 hours.
pub const DISABLED_AFTER_MS: i64 = 120 * 3_600_000;
/// Milliseconds of failures after which an endpoint is down: 5 minutes.
const DOWN_AFTER_MS: i64 = 5 * 60_000;
/// Milliseconds of one attempt after which an endpoint is down until an attempt succeeds.
pub const SLOW_AFTER_MS: u64 = 500;
/// The longest time between two probes, in milliseconds: 1 minute.
const PROBE_EVERY_MS_MAX: i64 = 60_000;

/// Milliseconds for which an old secret still signs after a rotation: 24 hours.
const OVERLAP_MS: i64 = 24 * 3_600_000;
/// The most secrets that sign at the same time. A rotation drops the oldest.
const SECRETS_MAX: usize = 3;

/// The status of a webhook endpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq, EnumMessage, EnumString, IntoStaticStr, VariantArray)]
#[strum(serialize_all = "snake_case")]
pub enum EndpointStatus {
    /// The endpoint receives events.
    Enabled,
    /// The endpoint receives no events. It failed for too long, answered 410 (Gone), or was disabled by its merchant.
    Disabled,
}

as_text!(EndpointStatus);

/// One generation of an endpoint's signing secret.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Secret {
    /// Number of the secret. The first is 1.
    pub generation: u32,
    /// What its text is made from.
    #[serde(flatten)]
    pub source: SecretSource,
    /// The time from which it no longer signs. None for the newest.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub until: Option<Timestamp>,
    /// The idempotency key of the rotation that created the secret. None for the first.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rotation: Option<KeyHash>,
}

/// What a secret's text is made from.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SecretSource {
    /// The fingerprint of the signing key from which the text is derived.
    Key(KeyFingerprint),
    /// The text itself, `whsec_…`. Release 0.1.0 stored it. It signs until it ends after a rotation.
    Text(String),
}

/// The fingerprint of a signing key: the first 12 hexadecimal digits of the SHA-256 of its characters. So a key that
/// was replaced under the same name is never taken for the old one.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct KeyFingerprint(String);

impl KeyFingerprint {
    const LENGTH: usize = 12;

    /// The fingerprint of a key.
    pub fn of(key: &str) -> KeyFingerprint {
        let mut digits = hex(&Sha256::digest(key.as_bytes()));
        digits.truncate(Self::LENGTH);
        KeyFingerprint(digits)
    }
}

impl fmt::Display for KeyFingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Secret {
    /// Whether it signs at `now`.
    pub fn signs(&self, now: Timestamp) -> bool {
        self.until.is_none_or(|until| now < until)
    }
}

/// Hides the secret itself, which must not be logged.
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
    /// The address to which events are posted.
    pub url: String,
    /// The filters of events. An event is posted if one of them matches.
    pub event_types: Vec<EventFilter>,
    /// The signing secrets, newest first.
    pub secrets: Vec<Secret>,
    /// Whether the endpoint receives events.
    pub status: EndpointStatus,
    /// The time since which every attempt has failed. None if the last attempt succeeded.
    pub failing_since: Option<Timestamp>,
    /// While the endpoint is down: the time from which the next delivery may be attempted. None also before the first
    /// probe of an endpoint that has failed for five minutes.
    pub probe_at: Option<Timestamp>,
    /// The time of the last recovery. A new address and enabling count as a recovery. None before the first.
    pub works_since: Option<Timestamp>,
    /// The last requested test.
    pub last_test: Option<LastTest>,
}

/// The last test of an endpoint. It is stored so that a repeated request creates no second event.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LastTest {
    /// The hash of the request's idempotency key.
    pub key: KeyHash,
    /// The event of the test.
    pub event: EventId,
}

/// A merchant's change of an endpoint. A field that is `None` stays unchanged.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct EndpointEdit {
    /// The address to which events are posted.
    pub url: Option<String>,
    /// The filters of events.
    pub event_types: Option<Vec<EventFilter>>,
    /// Whether the endpoint receives events.
    pub status: Option<EndpointStatus>,
}

/// The next step of a delivery whose time has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// Attempt the delivery.
    Attempt,
    /// Attempt the delivery to find out whether the endpoint works again. Only one delivery may do this at a time, so
    /// claim it first.
    Probe,
    /// Put the delivery off.
    PutOff,
}

impl WebhookEndpoint {
    /// A new, enabled endpoint. Its secret is derived from this signing key.
    pub fn new(
        meta: Meta<EndpointKind>, url: String, event_types: Vec<EventFilter>, key: KeyFingerprint,
    ) -> WebhookEndpoint {
        WebhookEndpoint {
            meta,
            url,
            event_types,
            secrets: vec![Secret { generation: 1, source: SecretSource::Key(key), until: None, rotation: None }],
            status: EndpointStatus::Enabled,
            failing_since: None,
            probe_at: None,
            works_since: None,
            last_test: None,
        }
    }

    /// The secrets that sign at `now`, newest first.
    pub fn signing(&self, now: Timestamp) -> impl Iterator<Item = &Secret> {
        self.secrets.iter().filter(move |secret| secret.signs(now))
    }

    /// Whether this endpoint receives an event. `only`: the only endpoint of the event, see [`Event::only`].
    pub fn wants(&self, event_type: EventType, only: Option<&EndpointId>) -> bool {
        let is_meant = match only {
            Some(only) => *only == self.meta.id,
            None => self.event_types.iter().any(|filter| filter.matches(event_type)),
        };
        self.status == EndpointStatus::Enabled && is_meant
    }

    /// Whether the endpoint has failed for five minutes, or an attempt was slow and none has succeeded since.
    /// Deliveries to it are put off, so that it does not delay other endpoints.
    pub fn is_down(&self, now: Timestamp) -> bool {
        self.probe_at.is_some() || self.failing_since.is_some_and(|since| now.since(since) >= DOWN_AFTER_MS)
    }

    /// The next step of a delivery whose time has come.
    pub fn step(&self, now: Timestamp) -> Step {
        match self.is_down(now) {
            false => Step::Attempt,
            true if self.probe_at.is_none_or(|at| at <= now) => Step::Probe,
            true => Step::PutOff,
        }
    }

    /// The time of the probe after one that begins at `now` and takes at most `longest_ms`. The longer the endpoint
    /// fails, the longer is the time between two probes, up to a minute. Two probes never overlap.
    pub fn next_probe(&self, longest_ms: i64, now: Timestamp) -> Timestamp {
        let failing_ms = self.failing_since.map_or(0, |since| now.since(since));
        now.plus_millis(failing_ms.min(PROBE_EVERY_MS_MAX).max(longest_ms))
    }

    /// The endpoint after it was disabled at `now`.
    pub fn disabled(&self, now: Timestamp) -> WebhookEndpoint {
        WebhookEndpoint { status: EndpointStatus::Disabled, meta: self.meta.moved(now), ..self.clone() }
    }

    /// The endpoint after its merchant's change at `now`. None if the change has no effect. After a new address or
    /// enabling, the endpoint counts as working until an attempt fails.
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

    /// The endpoint with a new secret, derived from this signing key. The previous secret signs for 24 hours more. At most three secrets stay.
    pub fn rotated(&self, key: KeyFingerprint, rotation: KeyHash, now: Timestamp) -> WebhookEndpoint {
        let generation = self.secrets.first().map_or(1, |newest| newest.generation + 1);
        let end = now.plus_millis(OVERLAP_MS);
        let ending = |secret: &Secret| Secret { until: Some(secret.until.unwrap_or(end)), ..secret.clone() };
        let old = self.secrets.iter().map(ending).filter(|secret| secret.until.is_some_and(|until| now < until));
        let new = Secret { generation, source: SecretSource::Key(key), until: None, rotation: Some(rotation) };
        let secrets = [new].into_iter().chain(old).take(SECRETS_MAX).collect();
        WebhookEndpoint { secrets, meta: self.meta.moved(now), ..self.clone() }
    }

    /// The secret of the rotation with this idempotency key. It may have ended. None if the secret is unknown or was
    /// dropped.
    pub fn rotated_by(&self, rotation: &KeyHash) -> Option<&Secret> {
        self.secrets.iter().find(|secret| secret.rotation.as_ref() == Some(rotation))
    }

    /// The event of the test that the request `request_id` creates with this idempotency key, in the trace of this request.
    /// Only this endpoint receives it.
    pub fn test(&self, key: &KeyHash, request_id: &str, trace: Option<Trace>, now: Timestamp) -> Event {
        let id = &self.meta.id;
        Event {
            id: EventId::ordered(now, self.meta.shard, &[id.as_str(), key.as_str()]),
            event_type: EventType::WebhookEndpointTest,
            source: id.clone().into(),
            only: Some(id.clone()),
            timestamp: now,
            request_id: request_id.to_owned(),
            trace,
        }
    }
}
