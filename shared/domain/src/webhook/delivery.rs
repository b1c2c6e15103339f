//! Deliveries: one event on its way to one webhook endpoint, the times of its attempts, and its end.

use serde::{Deserialize, Serialize};

use super::attempt::Attempt;
use super::endpoint::{EndpointStatus, WebhookEndpoint};
use crate::event::EventType;
use crate::id::{EndpointId, EventId};
use crate::operation::CLOCK_SKEW_MS;
use crate::time::{Expiry, Timestamp};

/// Seconds by which a delivery is put off for the first time, if its endpoint is down. Each further time is twice as
/// long. (A recovery of the endpoint sends the delivery anyway. This wait is for a recovery whose message is lost.)
const PUT_OFF_S: i64 = 300;
/// The longest time in seconds by which a delivery is put off: one day.
const PUT_OFF_S_MAX: i64 = 86_400;
/// A day in milliseconds: the longest `Retry-After` that is obeyed.
const DAY_MS: i64 = 86_400_000;

/// The status of a delivery.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DeliveryStatus {
    /// Another attempt will follow.
    Pending,
    /// An attempt was answered with 2xx.
    Succeeded,
    /// No further attempt will follow.
    Failed,
}

/// Why a delivery is not sent again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, strum::IntoStaticStr)]
#[strum(serialize_all = "snake_case")]
pub enum NotRedelivered {
    /// Another attempt will follow anyway.
    Pending,
    /// The endpoint has the event.
    Succeeded,
    /// The endpoint does not exist any more.
    EndpointDeleted,
    /// The endpoint is disabled.
    EndpointDisabled,
    /// The endpoint no longer receives events of this type.
    NotWanted,
}

/// One event on its way to one endpoint. It is stored once an attempt has ended or it was put off.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Delivery {
    /// The event.
    pub event: EventId,
    /// The receiving webhook endpoint.
    pub endpoint: EndpointId,
    /// Whether another attempt will follow.
    pub status: DeliveryStatus,
    /// Number of attempts that have ended.
    pub attempts: u32,
    /// Number of attempts that do not count for the schedule of waits: those that failed before their planned time, and
    /// all before the last redelivery.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub early_attempts: u32,
    /// While pending: the time of the next attempt. During an attempt: the time from which the attempt counts as lost.
    pub next_attempt_at: Option<Timestamp>,
    /// During a claimed attempt: its planned time. Otherwise None.
    pub planned_at: Option<Timestamp>,
    /// Number of times that it was put off since its last attempt, because its endpoint was down.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub put_offs: u32,
    /// The status of the last answer, or the reason why there was no answer.
    pub last_answer: String,
    /// The event's `request_id`.
    pub request_id: String,
    /// The time of deletion, the same as the event's.
    pub expires_at: Expiry,
    /// The end of the last attempt. Before the first attempt: the time when the delivery was put off.
    pub updated_at: Timestamp,
}

fn is_zero(count: &u32) -> bool {
    *count == 0
}

/// A random factor for waits in permille, between 800 and 1200.
pub type JitterPermille = u32;

impl Delivery {
    /// A delivery without an attempt. `request_id` and `expires_at` are the event's.
    pub fn new(
        event: &EventId, endpoint: &EndpointId, request_id: &str, expires_at: Expiry, now: Timestamp,
    ) -> Delivery {
        Delivery {
            event: event.clone(),
            endpoint: endpoint.clone(),
            status: DeliveryStatus::Pending,
            attempts: 0,
            early_attempts: 0,
            next_attempt_at: Some(now),
            planned_at: None,
            put_offs: 0,
            last_answer: String::new(),
            request_id: request_id.to_owned(),
            expires_at,
            updated_at: now,
        }
    }

    /// Whether an attempt may begin: its time has come, or the endpoint has recovered. A delivery that was put off
    /// waits only while the endpoint is down. A delivery with a failed attempt gets one early attempt for each
    /// recovery. No attempt may begin while another is under way.
    pub fn may_begin(&self, endpoint: Option<&WebhookEndpoint>, now: Timestamp) -> bool {
        let due = self.next_attempt_at.is_some_and(|next| next.since(now) <= CLOCK_SKEW_MS);
        let recovered = endpoint.filter(|endpoint| !endpoint.is_down(now)).is_some_and(|endpoint| {
            self.is_put_off() || endpoint.works_since.is_some_and(|since| since > self.updated_at)
        });
        self.status == DeliveryStatus::Pending && (due || recovered && self.planned_at.is_none())
    }

    /// Whether the time of the next attempt has come, but the endpoint was down.
    pub fn is_put_off(&self) -> bool {
        // A delivery without an attempt was put off. Earlier versions did not count that.
        let waits = self.put_offs > 0 || self.attempts == 0;
        self.status == DeliveryStatus::Pending && waits && self.planned_at.is_none()
    }

    /// The delivery during an attempt. The attempt counts as lost from `until`. The attempt of a delivery that was put
    /// off is not early: its time has come before.
    pub fn claimed(&self, until: Timestamp) -> Delivery {
        let planned = if self.is_put_off() { Some(self.updated_at) } else { self.next_attempt_at };
        Delivery { next_attempt_at: Some(until), planned_at: self.planned_at.or(planned), ..self.clone() }
    }

    /// The delivery after an attempt. `waits_s`: seconds to wait after the first, second, … failed attempt. The
    /// delivery fails when no wait is left. A failed early attempt does not change the planned time of the next one.
    pub fn after(&self, attempt: &Attempt, waits_s: &[u32], jitter: JitterPermille, now: Timestamp) -> Delivery {
        let early = self.planned_at.filter(|planned| planned.since(now) > CLOCK_SKEW_MS);
        let waits_used = usize::try_from(self.attempts.saturating_sub(self.early_attempts)).unwrap_or(usize::MAX);
        let wait_ms = waits_s.get(waits_used).map(|wait_s| i64::from(*wait_s) * i64::from(jitter));
        let planned = early.or_else(|| wait_ms.map(|wait_ms| now.plus_millis(wait_ms)));
        let retry_after_ms = match attempt {
            Attempt::Answered { status: 429 | 503, retry_after_s: Some(seconds) } => i64::from(*seconds) * 1000,
            _ => 0,
        };
        let (status, next_attempt_at) = match (attempt.succeeded(), attempt.gone(), planned) {
            (true, _, _) => (DeliveryStatus::Succeeded, None),
            (false, false, Some(planned)) => {
                (DeliveryStatus::Pending, Some(planned.max(now.plus_millis(retry_after_ms.min(DAY_MS)))))
            }
            (false, _, _) => (DeliveryStatus::Failed, None),
        };
        let failed_early = early.is_some() && status == DeliveryStatus::Pending;
        Delivery {
            status,
            attempts: self.attempts + 1,
            early_attempts: self.early_attempts + u32::from(failed_early),
            next_attempt_at,
            planned_at: None,
            put_offs: 0,
            last_answer: attempt.described(),
            updated_at: now,
            ..self.clone()
        }
    }

    /// The delivery after it was put off, because its endpoint is down. This is not an attempt.
    pub fn put_off(&self, jitter: JitterPermille, now: Timestamp) -> Delivery {
        let wait_s = (PUT_OFF_S << self.put_offs.min(16)).min(PUT_OFF_S_MAX);
        Delivery {
            next_attempt_at: Some(now.plus_millis(wait_s * i64::from(jitter))),
            planned_at: None,
            put_offs: self.put_offs.saturating_add(1),
            ..self.clone()
        }
    }

    /// The delivery after a failed probe of its endpoint. Its next attempt is the next probe, or comes later.
    pub fn not_before(&self, next_probe: Timestamp) -> Delivery {
        Delivery { next_attempt_at: self.next_attempt_at.map(|next| next.max(next_probe)), ..self.clone() }
    }

    /// The delivery after it failed without another attempt, because its endpoint no longer receives it.
    pub fn given_up(&self) -> Delivery {
        Delivery { status: DeliveryStatus::Failed, next_attempt_at: None, planned_at: None, ..self.clone() }
    }

    /// Whether at least one attempt has failed, or the delivery was given up without one.
    pub fn has_failed_once(&self) -> bool {
        self.status == DeliveryStatus::Failed || self.attempts > u32::from(self.status == DeliveryStatus::Succeeded)
    }

    /// The failed delivery after it is to be sent again. Its next attempt is due at `now`, the schedule of waits begins
    /// anew, and it is stored at least until `expires_at`. `endpoint`: the receiving endpoint, None if it does not
    /// exist. `event_type` and `only`: the event's. Errors if another attempt would not help, or would not be made.
    pub fn redelivered(
        &self, endpoint: Option<&WebhookEndpoint>, (event_type, only): (EventType, Option<&EndpointId>),
        expires_at: Expiry, now: Timestamp,
    ) -> Result<Delivery, NotRedelivered> {
        match (self.status, endpoint) {
            (DeliveryStatus::Pending, _) => Err(NotRedelivered::Pending),
            (DeliveryStatus::Succeeded, _) => Err(NotRedelivered::Succeeded),
            (DeliveryStatus::Failed, None) => Err(NotRedelivered::EndpointDeleted),
            (DeliveryStatus::Failed, Some(endpoint)) if endpoint.status == EndpointStatus::Disabled => {
                Err(NotRedelivered::EndpointDisabled)
            }
            (DeliveryStatus::Failed, Some(endpoint)) if !endpoint.wants(event_type, only) => {
                Err(NotRedelivered::NotWanted)
            }
            (DeliveryStatus::Failed, Some(_)) => Ok(Delivery {
                status: DeliveryStatus::Pending,
                early_attempts: self.attempts,
                next_attempt_at: Some(now),
                planned_at: None,
                put_offs: 0,
                expires_at: self.expires_at.max(expires_at),
                ..self.clone()
            }),
        }
    }
}
