use super::*;
use crate::event::EventType;
use crate::id::{EndpointId, EventId, MerchantId};
use crate::idempotency::{Fingerprint, IdempotencyKey, KeyHash};
use crate::resource::{Cause, Meta};
use crate::tenant::{Mode, Tenant};
use crate::time::{Expiry, Timestamp};

mod endpoint;

const WAITS: [u32; 2] = [5, 300];

fn after(earlier: Option<&Delivery>, attempt: &Attempt, jitter: u32) -> Delivery {
    let now = Timestamp::from_millis(0);
    let new = Delivery::new(&EventId::derive(&["e"]), &EndpointId::derive(&["w"]), "r", Expiry::after(now, 30), now);
    earlier.unwrap_or(&new).after(attempt, &WAITS, jitter, now)
}

fn answered(status: u16) -> Attempt {
    Attempt::Answered { status, retry_after_s: None }
}

#[test]
fn filters_match_all_types_one_resource_or_one_type() {
    let matches = |filter, event_type| EventFilter::parse(filter).is_some_and(|f| f.matches(event_type));
    assert!(matches("*", EventType::PaymentFailed) && matches("payment.*", EventType::PaymentFailed));
    assert!(
        matches("payment.failed", EventType::PaymentFailed) && !matches("payment.failed", EventType::PaymentSucceeded)
    );
    for text in ["*", "payment.*", "payment.failed"] {
        assert_eq!(EventFilter::parse(text).map(|filter| filter.to_string()).as_deref(), Some(text));
    }
    for wrong in ["", "payment", "payments.*", "payment.lost", ".*", "**"] {
        assert_eq!(EventFilter::parse(wrong), None, "{wrong}");
    }
}

#[test]
fn a_delivery_fails_when_its_waits_are_used_up() {
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
fn has_failed_once_counts_failed_attempts_only() {
    let first = after(None, &answered(500), 1000);
    assert!(first.has_failed_once() && after(Some(&first), &answered(200), 1000).has_failed_once());
    assert!(!after(None, &answered(200), 1000).has_failed_once());
    let untried = Delivery { attempts: 0, ..first.clone() };
    assert!(untried.given_up().has_failed_once() && !untried.has_failed_once());
    let put_off = Delivery { attempts: 0, ..first }.put_off(1200, Timestamp::from_millis(0));
    assert_eq!((put_off.next_attempt_at, put_off.has_failed_once()), (Some(Timestamp::from_millis(360_000)), false));
}

fn at(minute: i64) -> Timestamp {
    Timestamp::from_millis(minute * 60_000)
}

fn signing_key(name: &str) -> KeyFingerprint {
    KeyFingerprint::of(name)
}

/// An endpoint that has failed since one minute, or has recovered at another.
fn endpoint(failing_since: Option<i64>, works_since: Option<i64>) -> WebhookEndpoint {
    let owner = Tenant { merchant: MerchantId::derive(&["m"]), mode: Mode::Test };
    let cause = Cause { request_id: "r".to_owned(), trace: None, fingerprint: Fingerprint::of(b"{}"), at: at(0) };
    let meta = Meta::new(EndpointId::derive(&["w"]), owner, 0, cause);
    let new = WebhookEndpoint::new(meta, "https://example.com/".to_owned(), vec![EventFilter::All], signing_key("1"));
    WebhookEndpoint { failing_since: failing_since.map(at), works_since: works_since.map(at), ..new }
}

#[test]
fn deliveries_to_a_down_endpoint_are_put_off_until_its_next_probe() {
    let step = |failing_since, probe_at: Option<i64>, minute| {
        let probe_at = probe_at.map(at);
        WebhookEndpoint { probe_at, ..endpoint(failing_since, None) }.step(at(minute))
    };
    for (failing_since, probe_at, minute, expected) in [
        (None, None, 100, Step::Attempt),
        (Some(96), None, 100, Step::Attempt),
        (Some(95), None, 100, Step::Probe),
        (Some(95), Some(101), 100, Step::PutOff),
        (Some(95), Some(101), 101, Step::Probe),
        // An attempt is slow.
        (None, Some(101), 100, Step::PutOff),
        (None, Some(101), 101, Step::Probe),
    ] {
        let case = (failing_since, probe_at, minute);
        assert_eq!(step(failing_since, probe_at, minute), expected, "{case:?}");
    }
}

#[test]
fn probes_never_overlap_and_come_at_least_each_minute() {
    let next = |failing_since, longest_ms| endpoint(failing_since, None).next_probe(longest_ms, at(100)).since(at(100));
    assert_eq!(next(None, 15_000), 15_000);
    assert_eq!(next(Some(100), 15_000), 15_000);
    assert_eq!(next(Some(99), 15_000), 60_000);
    assert_eq!(next(Some(1), 15_000), 60_000);
    assert_eq!(next(Some(1), 65_000), 65_000);
}

#[test]
fn a_delivery_is_put_off_for_longer_each_time() {
    let now = Timestamp::from_millis(0);
    let mut delivery = after(None, &answered(500), 1000);
    let mut waits_s = Vec::new();
    for _ in 0..11 {
        delivery = delivery.claimed(at(1)).put_off(1000, now);
        assert_eq!((delivery.attempts, delivery.planned_at, delivery.is_put_off()), (1, None, true));
        waits_s.push(delivery.next_attempt_at.unwrap().millis() / 1000);
    }
    assert_eq!(waits_s, [300, 600, 1200, 2400, 4800, 9600, 19_200, 38_400, 76_800, 86_400, 86_400]);
    // It may begin as soon as the endpoint is not down. Its attempt counts, and uses the next wait.
    assert!(delivery.may_begin(Some(&endpoint(None, None)), at(1)));
    let failed = delivery.claimed(at(2)).after(&answered(500), &WAITS, 1000, at(1));
    assert_eq!((failed.attempts, failed.early_attempts, failed.put_offs), (2, 0, 0));
    assert_eq!(failed.next_attempt_at, Some(at(6)));
}

#[test]
fn a_failed_probe_waits_for_the_next_probe() {
    let failed = after(None, &answered(500), 1000);
    // Planned for 5 s.
    let next = |probe_ms| failed.not_before(Timestamp::from_millis(probe_ms)).next_attempt_at.unwrap().millis();
    assert_eq!([next(4_000), next(15_000)], [5_000, 15_000]);
    assert_eq!(after(None, &answered(200), 1000).not_before(at(1)).next_attempt_at, None);
}

#[test]
fn an_attempt_begins_at_its_time_or_after_a_recovery() {
    let pending = |attempts, updated: i64, next: i64, planned: Option<i64>| Delivery {
        attempts,
        updated_at: at(updated),
        next_attempt_at: Some(at(next)),
        planned_at: planned.map(at),
        ..Delivery::new(&EventId::derive(&["e"]), &EndpointId::derive(&["w"]), "r", Expiry::after(at(0), 30), at(0))
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
        ("its time has come, the endpoint is deleted", &failed, None, 90, true),
        ("it waits", &failed, Some(&works), 60, false),
        ("it waits, the endpoint is deleted", &failed, None, 60, false),
        ("put off, still down", &put_off, Some(&down), 60, false),
        ("put off, no longer down", &put_off, Some(&works), 60, true),
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
fn a_failed_early_attempt_keeps_the_planned_time() {
    let first = after(None, &answered(500), 1000);
    // Planned for 5 s; the next wait would be 300 s.
    let early = first.claimed(Timestamp::from_millis(15_000));
    assert_eq!(early.next_attempt_at, Some(Timestamp::from_millis(15_000)));
    let failed = early.after(&answered(500), &WAITS, 1000, Timestamp::from_millis(1_000));
    assert_eq!((failed.attempts, failed.early_attempts, failed.planned_at), (2, 1, None));
    assert_eq!(failed.updated_at, Timestamp::from_millis(1_000));
    assert_eq!((failed.status, failed.next_attempt_at), (DeliveryStatus::Pending, first.next_attempt_at));
    // The attempt at the planned time uses the next wait, which is the last.
    let second = failed.claimed(Timestamp::from_millis(20_000));
    let second = second.after(&answered(500), &WAITS, 1000, Timestamp::from_millis(5_000));
    assert_eq!((second.attempts, second.next_attempt_at), (3, Some(Timestamp::from_millis(305_000))));
    // A lost attempt keeps its first planned time.
    let lost = second.claimed(Timestamp::from_millis(20_000)).claimed(Timestamp::from_millis(40_000));
    assert_eq!(lost.planned_at, second.next_attempt_at);
    let last = lost.after(&answered(500), &WAITS, 1000, Timestamp::from_millis(305_000));
    assert_eq!((last.status, last.attempts, last.next_attempt_at), (DeliveryStatus::Failed, 4, None));
    assert_eq!(early.after(&answered(410), &WAITS, 1000, at(0)).status, DeliveryStatus::Failed);
    assert_eq!(early.after(&answered(200), &WAITS, 1000, at(0)).early_attempts, 0);
}

#[test]
fn an_attempt_within_a_second_of_its_time_is_not_early() {
    let claimed = after(None, &answered(500), 1000).claimed(Timestamp::from_millis(15_000));
    // Planned for 5 s.
    let early_attempts = |ms| claimed.after(&answered(500), &WAITS, 1000, Timestamp::from_millis(ms)).early_attempts;
    assert_eq!([3_999, 4_000].map(early_attempts), [1, 0]);
}

#[test]
fn a_given_up_delivery_has_no_next_attempt() {
    let claimed = after(None, &answered(500), 1000).claimed(Timestamp::from_millis(15_000));
    let given_up = claimed.given_up();
    assert_eq!((given_up.status, given_up.attempts), (DeliveryStatus::Failed, 1));
    assert_eq!((given_up.next_attempt_at, given_up.planned_at), (None, None));
}

/// A redelivery at minute 9 of an event of any type, stored until 30 days after minute 9.
fn redelivered(delivery: &Delivery, endpoint: Option<&WebhookEndpoint>) -> Result<Delivery, NotRedelivered> {
    delivery.redelivered(endpoint, (EventType::PaymentFailed, None), Expiry::after(at(9), 30), at(9))
}

#[test]
fn a_redelivery_begins_the_schedule_anew() {
    let first = after(None, &answered(500), 1000);
    let failed = after(Some(&after(Some(&first), &answered(500), 1000)), &answered(500), 1000);
    assert_eq!((failed.status, failed.attempts), (DeliveryStatus::Failed, 3));
    let again = redelivered(&failed, Some(&endpoint(None, None))).unwrap();
    assert_eq!((again.status, again.attempts, again.next_attempt_at), (DeliveryStatus::Pending, 3, Some(at(9))));
    // 30 days of 86 400 s after 9 minutes.
    assert_eq!((again.expires_at.seconds(), failed.expires_at.seconds()), (2_592_540, 2_592_000));
    assert!(again.may_begin(None, at(9)) && !again.is_put_off() && again.has_failed_once());
    // Claimed for 15 s; the first wait is 5 s again, and two more failures end it.
    let claimed = again.claimed(at(9).plus_millis(15_000));
    let retried = claimed.after(&answered(500), &WAITS, 1000, at(9));
    assert_eq!((retried.status, retried.next_attempt_at), (DeliveryStatus::Pending, Some(at(9).plus_millis(5_000))));
    let retried = retried.after(&answered(500), &WAITS, 1000, at(10));
    assert_eq!((retried.status, retried.next_attempt_at), (DeliveryStatus::Pending, Some(at(15))));
    let retried = retried.after(&answered(500), &WAITS, 1000, at(15));
    assert_eq!((retried.status, retried.attempts), (DeliveryStatus::Failed, 6));
    // A planned time of before is forgotten.
    let planned = Delivery { planned_at: Some(at(1)), ..failed.clone() };
    assert_eq!(redelivered(&planned, Some(&endpoint(None, None))).unwrap().planned_at, None);
    // A later expiry stays.
    let kept = Delivery { expires_at: Expiry::after(at(10), 30), ..failed };
    assert_eq!(redelivered(&kept, Some(&endpoint(None, None))).unwrap().expires_at, kept.expires_at);
}

#[test]
fn only_a_failed_delivery_is_redelivered_to_an_endpoint_that_wants_it() {
    let pending = after(None, &answered(500), 1000);
    let succeeded = after(None, &answered(204), 1000);
    let failed = pending.given_up();
    let works = endpoint(None, None);
    let disabled = works.disabled(at(1));
    let uninterested =
        WebhookEndpoint { event_types: vec![EventFilter::One(EventType::RefundFailed)], ..works.clone() };
    for (delivery, endpoint, expected) in [
        (&pending, Some(&works), Some(NotRedelivered::Pending)),
        (&pending, None, Some(NotRedelivered::Pending)),
        (&succeeded, Some(&works), Some(NotRedelivered::Succeeded)),
        (&failed, None, Some(NotRedelivered::EndpointDeleted)),
        (&failed, Some(&disabled), Some(NotRedelivered::EndpointDisabled)),
        (&failed, Some(&uninterested), Some(NotRedelivered::NotWanted)),
        (&failed, Some(&works), None),
    ] {
        assert_eq!(redelivered(delivery, endpoint).err(), expected, "{delivery:?} {endpoint:?}");
    }
}

#[test]
fn status_2xx_succeeds_and_410_fails_at_once() {
    for status in [200, 204, 299] {
        assert_eq!(after(None, &answered(status), 1000).status, DeliveryStatus::Succeeded);
    }
    for status in [199, 301, 404, 500] {
        assert_eq!(after(None, &answered(status), 1000).status, DeliveryStatus::Pending);
    }
    assert_eq!(after(None, &answered(410), 1000).status, DeliveryStatus::Failed);
}

#[test]
fn last_answer_is_the_status_or_the_reason() {
    for (attempt, expected) in [(answered(404), "404"), (Attempt::Unreachable("timed out"), "timed out")] {
        assert_eq!(after(None, &attempt, 1000).last_answer, expected);
    }
}

#[test]
fn early_attempts_are_stored_unless_zero() {
    let first = after(None, &answered(500), 1000);
    let stored = |delivery: &Delivery| serde_json::to_value(delivery).unwrap().get("early_attempts").cloned();
    let early = first.claimed(Timestamp::from_millis(15_000));
    let early = early.after(&answered(500), &WAITS, 1000, Timestamp::from_millis(1_000));
    assert_eq!([stored(&first), stored(&early)], [None, Some(1.into())]);
}

#[test]
fn retry_after_is_obeyed_up_to_a_day() {
    let next = |status, seconds| {
        let attempt = Attempt::Answered { status, retry_after_s: Some(seconds) };
        after(None, &attempt, 1000).next_attempt_at.map(Timestamp::millis)
    };
    assert_eq!(next(503, 60), Some(60_000));
    assert_eq!(next(429, 1), Some(5_000));
    assert_eq!(next(500, 60), Some(5_000));
    assert_eq!(next(503, 10_000_000), Some(86_400_000));
}
