//! The token bucket that throttles a stage or an API key, as API Gateway's does.

use crate::template::Throttle;

/// Thousandths in a token: a rate of `n` tokens a second is `n` thousandths a millisecond.
const TOKEN: u64 = 1000;

/// Starts full.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bucket {
    throttle: Throttle,
    /// In thousandths of a token.
    level: u64,
    /// The time of the level, in milliseconds since 1970.
    at_ms: i64,
}

impl Bucket {
    pub fn new(throttle: Throttle, now_ms: i64) -> Self {
        Self { throttle, level: u64::from(throttle.burst) * TOKEN, at_ms: now_ms }
    }

    /// Takes one token. Returns the number of tokens that are left, or `None` if there was none to take.
    pub fn take(&mut self, now_ms: i64) -> Option<u64> {
        // A clock that was set back adds no tokens.
        let elapsed = u64::try_from(now_ms.saturating_sub(self.at_ms)).unwrap_or(0);
        let gained = elapsed.saturating_mul(u64::from(self.throttle.rate));
        let full = u64::from(self.throttle.burst) * TOKEN;
        self.level = self.level.saturating_add(gained).min(full);
        self.at_ms = now_ms;
        self.level = self.level.checked_sub(TOKEN)?;
        Some(self.level / TOKEN)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn takes(bucket: &mut Bucket, at_ms: i64, tries: usize) -> usize {
        (0..tries).filter(|_| bucket.take(at_ms).is_some()).count()
    }

    #[test]
    fn a_burst_then_the_rate() {
        let mut bucket = Bucket::new(Throttle { rate: 10, burst: 20 }, 1_000);
        assert_eq!(takes(&mut bucket, 1_000, 50), 20);
        assert_eq!(takes(&mut bucket, 1_099, 50), 0);
        assert_eq!(takes(&mut bucket, 1_100, 50), 1);
        assert_eq!(takes(&mut bucket, 2_100, 50), 10);
        assert_eq!(takes(&mut bucket, 60_000, 50), 20);
    }

    #[test]
    fn parts_of_a_token_count() {
        let mut bucket = Bucket::new(Throttle { rate: 1, burst: 1 }, 0);
        assert_eq!([0, 400, 800, 1_000].map(|at_ms| bucket.take(at_ms)), [Some(0), None, None, Some(0)]);
    }

    #[test]
    fn a_clock_set_back_adds_no_tokens() {
        let mut bucket = Bucket::new(Throttle { rate: 1, burst: 1 }, 10_000);
        assert_eq!([10_000, 0, 1_000].map(|at_ms| bucket.take(at_ms)), [Some(0), None, Some(0)]);
    }

    #[test]
    fn a_taken_token_is_not_left() {
        let mut bucket = Bucket::new(Throttle { rate: 2, burst: 3 }, 0);
        assert_eq!([0, 0, 0, 0].map(|at_ms| bucket.take(at_ms)), [Some(2), Some(1), Some(0), None]);
        assert_eq!(bucket.take(1_400), Some(1), "2.8 tokens less one");
    }
}
