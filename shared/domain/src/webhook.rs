//! Webhook endpoints, and when a delivery is attempted.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::event::EventType;
use crate::id::{EndpointId, EventId};
use crate::idempotency::Fingerprint;
use crate::payment::CLOCK_SKEW_MS;
use crate::tenant::Tenant;
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
    /// Derived from the idempotency key.
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
    /// The time from which every attempt has failed.
    pub failing_since: Option<Timestamp>,
    /// While it is down: the time from which a new event may try it.
    pub probe_at: Option<Timestamp>,
    /// The time at which it last worked again after it had been down.
    pub works_since: Option<Timestamp>,
    /// Moves when something moves that is rendered.
    pub version: u64,
    /// Of the body that made it.
    pub fingerprint: Fingerprint,
    /// The request that made it.
    pub request_id: String,
    /// When it was created.
    pub created_at: Timestamp,
    /// When the version last moved. None if it never did.
    pub updated_at: Option<Timestamp>,
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
        Endpoint { status: EndpointStatus::Disabled, version: self.version + 1, updated_at: Some(now), ..self.clone() }
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
    /// When the last attempt ended. Before the first one: when it was put off.
    pub updated_at: Timestamp,
}

fn is_zero(count: &u32) -> bool {
    *count == 0
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
            early_attempts: 0,
            next_attempt_at: Some(now),
            planned_at: None,
            last_answer: String::new(),
            request_id: request_id.to_owned(),
            updated_at: now,
        }
    }

    /// Whether an attempt may begin: its time has come, or the endpoint has recovered. One that was put off waits only
    /// while the endpoint is down; one that has failed gets one early attempt for each recovery. An attempt that is
    /// under way keeps others off.
    pub fn may_begin(&self, endpoint: Option<&Endpoint>, now: Timestamp) -> bool {
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

/// An endpoint that has failed for this long is down.
const DOWN_AFTER_MS: i64 = 5 * 60_000;
/// While an endpoint is down, a new event tries it this often.
pub const PROBE_EVERY_MS: i64 = 60_000;
const PUT_OFF_S: i64 = 300;

/// A Retry-After is honoured up to a day.
const DAY_MS: i64 = 86_400_000;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::MerchantId;
    use crate::tenant::Mode;

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

    fn at(minute: i64) -> Timestamp {
        Timestamp::from_millis(minute * 60_000)
    }

    /// An endpoint that fails since this minute, or works since that one.
    fn endpoint(failing_since: Option<i64>, works_since: Option<i64>) -> Endpoint {
        Endpoint {
            id: EndpointId::derive(&["w"]),
            tenant: Tenant { merchant: MerchantId::derive(&["m"]), mode: Mode::Test },
            url: "https://example.com/".to_owned(),
            event_types: vec![EventFilter::All],
            secret: String::new(),
            status: EndpointStatus::Enabled,
            failing_since: failing_since.map(at),
            probe_at: None,
            works_since: works_since.map(at),
            version: 1,
            fingerprint: Fingerprint::of(b"{}"),
            request_id: "r".to_owned(),
            created_at: at(0),
            updated_at: None,
        }
    }

    #[test]
    fn a_down_endpoint_gets_a_new_event_each_minute() {
        let step = |failing_since, probe_at: Option<i64>, minute| {
            let probe_at = probe_at.map(at);
            Endpoint { probe_at, ..endpoint(failing_since, None) }.first_step(at(minute))
        };
        for (failing_since, probe_at, minute, expected) in [
            (None, None, 100, FirstStep::Attempt),
            (Some(96), None, 100, FirstStep::Attempt),
            (Some(95), None, 100, FirstStep::Probe),
            (Some(95), Some(101), 100, FirstStep::PutOff),
            (Some(95), Some(101), 101, FirstStep::Probe),
            // It worked meanwhile.
            (None, Some(101), 100, FirstStep::Attempt),
        ] {
            let case = (failing_since, probe_at, minute);
            assert_eq!(step(failing_since, probe_at, minute), expected, "{case:?}");
        }
    }

    #[test]
    fn an_attempt_begins_when_its_time_or_a_recovery_has_come() {
        let pending = |attempts, updated: i64, next: i64, planned: Option<i64>| Delivery {
            attempts,
            updated_at: at(updated),
            next_attempt_at: Some(at(next)),
            planned_at: planned.map(at),
            ..Delivery::new(&EventId::derive(&["e"]), &EndpointId::derive(&["w"]), "r", at(0))
        };
        let (put_off, failed) = (pending(0, 50, 90, None), pending(2, 50, 90, None));
        let claimed = pending(2, 50, 61, Some(90));
        let (works, fails) = (endpoint(None, None), endpoint(Some(58), None));
        let (down, recovered) = (endpoint(Some(10), None), endpoint(None, Some(51)));
        let long_ago = endpoint(None, Some(50));
        let fails_again = endpoint(Some(56), Some(51));
        let down_again = endpoint(Some(55), Some(51));
        for (case, delivery, endpoint, minute, expected) in [
            ("its time has come", &failed, Some(&down), 90, true),
            ("its time has come, the endpoint is gone", &failed, None, 90, true),
            ("it waits", &failed, Some(&works), 60, false),
            ("it waits, the endpoint is gone", &failed, None, 60, false),
            ("put off, still down", &put_off, Some(&down), 60, false),
            ("put off, not down any more", &put_off, Some(&works), 60, true),
            ("put off, failing for two minutes", &put_off, Some(&fails), 60, true),
            ("the endpoint recovered after it failed", &failed, Some(&recovered), 60, true),
            ("it failed after the recovery", &failed, Some(&long_ago), 60, false),
            ("recovered, failing for four minutes", &failed, Some(&fails_again), 60, true),
            ("recovered, and down again", &failed, Some(&down_again), 60, false),
            ("an attempt is under way", &claimed, Some(&recovered), 60, false),
            ("the attempt under way is lost", &claimed, Some(&recovered), 61, true),
        ] {
            assert_eq!(delivery.may_begin(endpoint, at(minute)), expected, "{case}");
        }
        let done = Delivery { status: DeliveryStatus::Succeeded, next_attempt_at: None, ..put_off };
        assert!(!done.may_begin(Some(&recovered), at(60)) && !failed.given_up().may_begin(Some(&recovered), at(60)));
    }

    #[test]
    fn a_failed_early_attempt_leaves_the_plan_as_it_was() {
        let first = after(None, &answered(500), 1000);
        // Planned for 5 s; the next wait would be 300 s.
        let early = first.claimed(Timestamp::from_millis(15_000));
        assert_eq!(early.next_attempt_at, Some(Timestamp::from_millis(15_000)));
        let failed = early.after(&answered(500), &WAITS, 1000, Timestamp::from_millis(1_000));
        assert_eq!((failed.attempts, failed.early_attempts, failed.planned_at), (2, 1, None));
        assert_eq!((failed.status, failed.next_attempt_at), (DeliveryStatus::Pending, first.next_attempt_at));
        // At its time it uses up the next wait, and then the last.
        let second = failed.claimed(Timestamp::from_millis(20_000));
        let second = second.after(&answered(500), &WAITS, 1000, Timestamp::from_millis(5_000));
        assert_eq!((second.attempts, second.next_attempt_at), (3, Some(Timestamp::from_millis(305_000))));
        // A lost attempt was planned when it was planned first.
        let lost = second.claimed(Timestamp::from_millis(20_000)).claimed(Timestamp::from_millis(40_000));
        assert_eq!(lost.planned_at, second.next_attempt_at);
        let last = lost.after(&answered(500), &WAITS, 1000, Timestamp::from_millis(305_000));
        assert_eq!((last.status, last.attempts, last.next_attempt_at), (DeliveryStatus::Failed, 4, None));
        assert_eq!(early.after(&answered(410), &WAITS, 1000, at(0)).status, DeliveryStatus::Failed);
        assert_eq!(early.after(&answered(200), &WAITS, 1000, at(0)).early_attempts, 0);
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
