//! How many payments of one card, and of one customer, may fail. Who tries stolen cards makes many payments that fail.
//!
//! Each card and each customer of a tenant has a bucket of tokens. A failed payment takes one, and one comes back after
//! each interval. While the bucket is empty, further payments are refused. The bucket is stored as one time: when it
//! will be full again (the generic cell rate algorithm, ITU-T I.371).

use crate::time::Timestamp;

/// The size of the buckets, and how fast they fill.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FailureLimit {
    /// Failed payments that empty a full bucket. 0: there is no limit.
    pub max: u32,
    /// Seconds after which a token comes back.
    pub refill_s: u32,
}

impl FailureLimit {
    /// Whether there is a limit.
    pub fn is_set(&self) -> bool {
        self.max > 0
    }

    /// The time at which a bucket will be full, after a failed payment at `now`. `full_at`: the time before it. None if
    /// the bucket was always full.
    pub fn after_failure(&self, full_at: Option<Timestamp>, now: Timestamp) -> Timestamp {
        full_at.map_or(now, |full_at| full_at.max(now)).plus_seconds(self.refill_s)
    }

    /// The time from which payments are accepted again. None if they are accepted at `now`.
    pub fn refused_until(&self, full_at: Option<Timestamp>, now: Timestamp) -> Option<Timestamp> {
        let others_ms = i64::from(self.max.saturating_sub(1)) * i64::from(self.refill_s) * 1000;
        // Then the bucket has one token.
        let until = full_at?.plus_millis(-others_ms);
        (self.is_set() && until > now).then_some(until)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::samples::noon;

    const LIMIT: FailureLimit = FailureLimit { max: 3, refill_s: 600 };

    fn failed(times: u32, full_at: Option<Timestamp>, now: Timestamp) -> Option<Timestamp> {
        (0..times).fold(full_at, |full_at, _| Some(LIMIT.after_failure(full_at, now)))
    }

    #[test]
    fn the_third_failure_at_once_empties_the_bucket() {
        assert_eq!(failed(3, None, noon()), Some(noon().plus_seconds(1_800)));
        for times in [0, 1, 2] {
            assert_eq!(LIMIT.refused_until(failed(times, None, noon()), noon()), None, "{times}");
        }
        // One token comes back after ten minutes.
        let until = noon().plus_seconds(600);
        assert_eq!(LIMIT.refused_until(failed(3, None, noon()), noon()), Some(until));
        assert_eq!(LIMIT.refused_until(failed(3, None, noon()), until.plus_millis(-1)), Some(until));
        assert_eq!(LIMIT.refused_until(failed(3, None, noon()), until), None);
        // The fourth failure, of a payment that was under way, is counted too.
        assert_eq!(LIMIT.refused_until(failed(4, None, noon()), noon()), Some(noon().plus_seconds(1_200)));
    }

    #[test]
    fn a_bucket_holds_no_more_than_its_size() {
        let next_day = noon().plus_seconds(86_400);
        let full_at = failed(3, failed(3, None, noon()), next_day);
        assert_eq!(full_at, Some(next_day.plus_seconds(1_800)));
    }

    #[test]
    fn nothing_is_refused_without_a_limit() {
        let none = FailureLimit { max: 0, refill_s: 600 };
        assert_eq!(none.refused_until(Some(noon().plus_seconds(86_400)), noon()), None);
    }
}
