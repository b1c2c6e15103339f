//! One event on its way to one endpoint: when it is attempted, and when it is given up.

use serde::{Deserialize, Serialize};

use super::attempt::Attempt;
use super::endpoint::WebhookEndpoint;
use crate::id::{EndpointId, EventId};
use crate::operation::CLOCK_SKEW_MS;
use crate::time::{Expiry, Timestamp};

/// Seconds until the next look at a delivery whose endpoint is down.
const PUT_OFF_S: i64 = 300;
/// A Retry-After is honoured up to a day.
const DAY_MS: i64 = 86_400_000;

/// Where a delivery is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DeliveryStatus {
    /// It will be tried again.
    Pending,
    /// Answered with 2xx.
    Succeeded,
    /// Given up.
    Failed,
}

/// One event on its way to one endpoint, as stored after its first attempt.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Delivery {
    /// The event that is delivered.
    pub event: EventId,
    /// The endpoint that it is delivered to.
    pub endpoint: EndpointId,
    /// Whether it will be attempted again.
    pub status: DeliveryStatus,
    /// Attempts that have ended.
    pub attempts: u32,
    /// Those of them that failed before their time, and so used up no wait.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub early_attempts: u32,
    /// While pending: the time of the next attempt; during an attempt, when it counts as lost.
    pub next_attempt_at: Option<Timestamp>,
    /// During an attempt that was claimed: the time for which it was planned.
    pub planned_at: Option<Timestamp>,
    /// What the last attempt was answered, or why it was not.
    pub last_answer: String,
    /// The request that began it all.
    pub request_id: String,
    /// When it is deleted: with its event.
    pub expires_at: Expiry,
    /// When the last attempt ended. Before the first one: when it was put off.
    pub updated_at: Timestamp,
}

fn is_zero(count: &u32) -> bool {
    *count == 0
}

/// Parts of a thousand: a wait is stretched or shortened to between 800 and 1200 of them.
pub type JitterPermille = u32;

impl Delivery {
    /// A delivery without an attempt yet, of the event that `request_id` began and that expires then.
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
            last_answer: String::new(),
            request_id: request_id.to_owned(),
            expires_at,
            updated_at: now,
        }
    }

    /// Whether an attempt may begin: its time has come, or the endpoint has recovered. One that was put off waits only
    /// while the endpoint is down; one that has failed gets one early attempt for each recovery. An attempt that is
    /// under way keeps others off.
    pub fn may_begin(&self, endpoint: Option<&WebhookEndpoint>, now: Timestamp) -> bool {
        let due = self.next_attempt_at.is_some_and(|next| next.since(now) <= CLOCK_SKEW_MS);
        let recovered = endpoint.filter(|endpoint| !endpoint.is_down(now)).is_some_and(|endpoint| {
            self.is_put_off() || endpoint.works_since.is_some_and(|since| since > self.updated_at)
        });
        self.status == DeliveryStatus::Pending && (due || recovered && self.planned_at.is_none())
    }

    /// Whether it waits for its first attempt.
    pub fn is_put_off(&self) -> bool {
        self.status == DeliveryStatus::Pending && self.attempts == 0 && self.planned_at.is_none()
    }

    /// The delivery during an attempt, which counts as lost when it has not ended by `until`.
    pub fn claimed(&self, until: Timestamp) -> Delivery {
        Delivery { next_attempt_at: Some(until), planned_at: self.planned_at.or(self.next_attempt_at), ..self.clone() }
    }

    /// The delivery after another attempt. `waits_s`: seconds after the first, second, … failed attempt; when they are
    /// used up it has failed. An early attempt that fails leaves the plan as it was.
    pub fn after(&self, attempt: &Attempt, waits_s: &[u32], jitter: JitterPermille, now: Timestamp) -> Delivery {
        let early = self.planned_at.filter(|planned| planned.since(now) > CLOCK_SKEW_MS);
        let waits_used = usize::try_from(self.attempts.saturating_sub(self.early_attempts)).unwrap_or(usize::MAX);
        let wait_ms = waits_s.get(waits_used).map(|wait_s| i64::from(*wait_s) * i64::from(jitter));
        let planned = early.or_else(|| wait_ms.map(|wait_ms| now.plus_millis(wait_ms)));
        let asked_ms = match attempt {
            Attempt::Answered { status: 429 | 503, retry_after_s: Some(seconds) } => i64::from(*seconds) * 1000,
            _ => 0,
        };
        let (status, next_attempt_at) = match (attempt.succeeded(), attempt.gone(), planned) {
            (true, _, _) => (DeliveryStatus::Succeeded, None),
            (false, false, Some(planned)) => {
                (DeliveryStatus::Pending, Some(planned.max(now.plus_millis(asked_ms.min(DAY_MS)))))
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
            last_answer: attempt.described(),
            updated_at: now,
            ..self.clone()
        }
    }

    /// The delivery put off without an attempt, because its endpoint is down.
    pub fn put_off(&self, jitter: JitterPermille, now: Timestamp) -> Delivery {
        Delivery { next_attempt_at: Some(now.plus_millis(PUT_OFF_S * i64::from(jitter))), ..self.clone() }
    }

    /// The delivery given up without another attempt: its endpoint wants it no more.
    pub fn given_up(&self) -> Delivery {
        Delivery { status: DeliveryStatus::Failed, next_attempt_at: None, planned_at: None, ..self.clone() }
    }

    /// Whether an attempt of it has ever failed.
    pub fn has_failed_once(&self) -> bool {
        self.attempts > u32::from(self.status == DeliveryStatus::Succeeded)
    }
}
