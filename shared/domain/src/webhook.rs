//! Webhook endpoints, and when a delivery is tried again.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::event::EventType;
use crate::id::{EndpointId, EventId};
use crate::idempotency::Fingerprint;
use crate::tenant::Tenant;
use crate::time::Timestamp;

/// Each event is offered to all endpoints of a tenant, so there is a bound.
pub const ENDPOINTS_MAX: usize = 20;
/// An endpoint that failed for this long is disabled: 120 hours.
pub const DISABLED_AFTER_MS: i64 = 120 * 3_600_000;

/// Whether an endpoint gets events.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EndpointStatus {
    /// It does.
    Enabled,
    /// It failed for too long, or answered 410.
    Disabled,
}

/// Which events an endpoint wants: `*`, `payment.*` or `payment.succeeded`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EventFilter {
    /// All.
    All,
    /// All of a resource, of which this is one.
    Resource(EventType),
    /// This one.
    One(EventType),
}

impl EventFilter {
    /// Reads a filter; one that no event can match is none.
    pub fn parse(text: &str) -> Option<EventFilter> {
        if text == "*" {
            return Some(EventFilter::All);
        }
        let find = |matches: &dyn Fn(EventType) -> bool| EventType::ALL.into_iter().find(|known| matches(*known));
        match text.strip_suffix(".*") {
            Some(resource) => find(&|known| known.resource() == resource).map(EventFilter::Resource),
            None => find(&|known| known.as_str() == text).map(EventFilter::One),
        }
    }

    /// Whether the event is wanted.
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

impl Serialize for EventFilter {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for EventFilter {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<EventFilter, D::Error> {
        let text = String::deserialize(deserializer)?;
        EventFilter::parse(&text).ok_or_else(|| serde::de::Error::custom("not a filter of events"))
    }
}

/// A webhook endpoint as stored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Endpoint {
    /// Derived from the idempotency key where there is one.
    pub id: EndpointId,
    /// Whose.
    pub tenant: Tenant,
    /// Where to post.
    pub url: String,
    /// What to post.
    pub event_types: Vec<EventFilter>,
    /// `whsec_…`: what signs. Never logged.
    pub secret: String,
    /// Whether it gets events.
    pub status: EndpointStatus,
    /// Since when every attempt has failed.
    pub failing_since: Option<Timestamp>,
    /// Moves when something moves that is rendered.
    pub version: u64,
    /// Of the body that made it.
    pub fingerprint: Fingerprint,
    /// The request that made it.
    pub request_id: String,
    /// When it was created.
    pub created_at: Timestamp,
}

impl Endpoint {
    /// Whether an event is to be delivered to it.
    pub fn wants(&self, event_type: EventType) -> bool {
        self.status == EndpointStatus::Enabled && self.event_types.iter().any(|filter| filter.matches(event_type))
    }
}

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
    /// What.
    pub event: EventId,
    /// Whereto.
    pub endpoint: EndpointId,
    /// Where it is.
    pub status: DeliveryStatus,
    /// Attempts that have ended.
    pub attempts: u32,
    /// When to try again, while pending.
    pub next_attempt_at: Option<Timestamp>,
    /// What the last attempt was answered, or why it was not.
    pub last_answer: String,
    /// The request that began it all.
    pub request_id: String,
    /// When the last attempt ended.
    pub updated_at: Timestamp,
}

/// How an attempt ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Attempt {
    /// An answer with this status, and the seconds of its Retry-After.
    Answered {
        /// HTTP status.
        status: u16,
        /// Seconds, where it was given in seconds.
        retry_after_s: Option<u32>,
    },
    /// No answer, for this reason.
    Unreachable(&'static str),
}

impl Attempt {
    /// Only 2xx is a success.
    pub fn succeeded(&self) -> bool {
        matches!(self, Attempt::Answered { status: 200..=299, .. })
    }

    /// 410: the endpoint says it is gone.
    pub fn gone(&self) -> bool {
        matches!(self, Attempt::Answered { status: 410, .. })
    }

    fn described(&self) -> String {
        match self {
            Attempt::Answered { status, .. } => status.to_string(),
            Attempt::Unreachable(why) => (*why).to_owned(),
        }
    }
}

/// Parts of a thousand: a wait is stretched or shortened to between 800 and 1200 of them.
pub type JitterPermille = u32;

impl Delivery {
    /// A delivery without an attempt yet, of the event that `request_id` began.
    pub fn new(event: &EventId, endpoint: &EndpointId, request_id: &str, now: Timestamp) -> Delivery {
        Delivery {
            event: event.clone(),
            endpoint: endpoint.clone(),
            status: DeliveryStatus::Pending,
            attempts: 0,
            next_attempt_at: Some(now),
            last_answer: String::new(),
            request_id: request_id.to_owned(),
            updated_at: now,
        }
    }

    /// The delivery after another attempt. `waits_s`: seconds after the first, second, … failed attempt; when they are
    /// used up it has failed.
    pub fn after(&self, attempt: &Attempt, waits_s: &[u32], jitter: JitterPermille, now: Timestamp) -> Delivery {
        let wait_s = usize::try_from(self.attempts).ok().and_then(|index| waits_s.get(index));
        let (status, next_attempt_at) = match (attempt.succeeded(), attempt.gone(), wait_s) {
            (true, _, _) => (DeliveryStatus::Succeeded, None),
            (false, false, Some(wait_s)) => {
                let wait_ms = i64::from(*wait_s) * i64::from(jitter);
                let asked_ms = match attempt {
                    Attempt::Answered { status: 429 | 503, retry_after_s: Some(seconds) } => i64::from(*seconds) * 1000,
                    _ => 0,
                };
                (DeliveryStatus::Pending, Some(now.plus_millis(wait_ms.max(asked_ms.min(DAY_MS)))))
            }
            (false, _, _) => (DeliveryStatus::Failed, None),
        };
        Delivery {
            status,
            attempts: self.attempts + 1,
            next_attempt_at,
            last_answer: attempt.described(),
            updated_at: now,
            ..self.clone()
        }
    }

    /// The delivery put off without an attempt, because its endpoint has been failing for a while.
    pub fn put_off(&self, jitter: JitterPermille, now: Timestamp) -> Delivery {
        Delivery { next_attempt_at: Some(now.plus_millis(PUT_OFF_S * i64::from(jitter))), ..self.clone() }
    }

    /// Whether an attempt of it has ever failed.
    pub fn has_failed_once(&self) -> bool {
        self.attempts > u32::from(self.status == DeliveryStatus::Succeeded)
    }
}

/// An endpoint that has failed for this long gets new events only after a wait: a dead one must not hold up others.
pub const PUT_OFF_AFTER_MS: i64 = 5 * 60_000;
const PUT_OFF_S: i64 = 300;

/// A Retry-After is honoured up to a day.
const DAY_MS: i64 = 86_400_000;

#[cfg(test)]
mod tests {
    use super::*;

    const WAITS: [u32; 2] = [5, 300];

    fn after(earlier: Option<&Delivery>, attempt: &Attempt, jitter: u32) -> Delivery {
        let now = Timestamp::from_millis(0);
        let new = Delivery::new(&EventId::derive(&["e"]), &EndpointId::derive(&["w"]), "r", now);
        earlier.unwrap_or(&new).after(attempt, &WAITS, jitter, now)
    }

    fn answered(status: u16) -> Attempt {
        Attempt::Answered { status, retry_after_s: None }
    }

    #[test]
    fn filters_match_all_a_resource_or_one_type() {
        let matches = |filter, event_type| EventFilter::parse(filter).is_some_and(|f| f.matches(event_type));
        assert!(matches("*", EventType::PaymentFailed) && matches("payment.*", EventType::PaymentFailed));
        assert!(
            matches("payment.failed", EventType::PaymentFailed)
                && !matches("payment.failed", EventType::PaymentSucceeded)
        );
        for wrong in ["", "payment", "payments.*", "payment.lost", ".*", "**"] {
            assert_eq!(EventFilter::parse(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn a_failed_attempt_is_repeated_after_each_wait_and_then_given_up() {
        let first = after(None, &answered(500), 1000);
        assert_eq!(
            (first.status, first.attempts, first.next_attempt_at),
            (DeliveryStatus::Pending, 1, Some(Timestamp::from_millis(5000)))
        );
        let second = after(Some(&first), &Attempt::Unreachable("timed out"), 1200);
        assert_eq!(second.next_attempt_at, Some(Timestamp::from_millis(360_000)));
        let third = after(Some(&second), &answered(302), 800);
        assert_eq!((third.status, third.attempts, third.next_attempt_at), (DeliveryStatus::Failed, 3, None));
    }

    #[test]
    fn a_delivery_is_listed_as_failed_once_an_attempt_failed() {
        let first = after(None, &answered(500), 1000);
        assert!(first.has_failed_once() && after(Some(&first), &answered(200), 1000).has_failed_once());
        assert!(!after(None, &answered(200), 1000).has_failed_once());
        let put_off = Delivery { attempts: 0, ..first }.put_off(1200, Timestamp::from_millis(0));
        assert_eq!(
            (put_off.next_attempt_at, put_off.has_failed_once()),
            (Some(Timestamp::from_millis(360_000)), false)
        );
    }

    #[test]
    fn only_2xx_is_a_success_and_410_ends_it() {
        for status in [200, 204, 299] {
            assert_eq!(after(None, &answered(status), 1000).status, DeliveryStatus::Succeeded);
        }
        for status in [199, 301, 404, 500] {
            assert_eq!(after(None, &answered(status), 1000).status, DeliveryStatus::Pending);
        }
        assert_eq!(after(None, &answered(410), 1000).status, DeliveryStatus::Failed);
    }

    #[test]
    fn retry_after_is_honoured_up_to_a_day() {
        let next = |status, seconds| {
            let attempt = Attempt::Answered { status, retry_after_s: Some(seconds) };
            after(None, &attempt, 1000).next_attempt_at.map(Timestamp::millis)
        };
        assert_eq!(next(503, 60), Some(60_000));
        assert_eq!(next(429, 1), Some(5_000));
        assert_eq!(next(500, 60), Some(5_000));
        assert_eq!(next(503, 10_000_000), Some(86_400_000));
    }
}
