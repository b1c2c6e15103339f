//! A token bucket that may go into debt: a call is let in while units are left, and pays what it has used afterwards.

use std::time::Duration;

const NS_PER_S: u128 = 1_000_000_000;

/// Units a second. It holds at most the units of one second. It counts in half units, because an eventually consistent
/// read costs half a unit.
#[derive(Clone, Debug)]
pub struct Bucket {
    per_s: u64,
    /// Half units times nanoseconds a second, so that nothing is rounded.
    left: i128,
    filled_at: Duration,
}

impl Bucket {
    /// A full bucket.
    pub fn new(units_per_s: u64, now: Duration) -> Bucket {
        let per_s = 2 * units_per_s;
        Bucket { per_s, left: full(per_s), filled_at: now }
    }

    /// Whether units are left.
    pub fn has_units(&mut self, now: Duration) -> bool {
        self.fill(now);
        self.left > 0
    }

    /// Takes half units, even more than there are. Later calls wait until the debt is paid.
    pub fn take(&mut self, halves: u64, now: Duration) {
        self.fill(now);
        self.left -= i128::from(halves) * i128::try_from(NS_PER_S).unwrap();
    }

    /// Changes the units of a second.
    pub fn set_rate(&mut self, units_per_s: u64) {
        let per_s = 2 * units_per_s;
        self.left += full(per_s) - full(self.per_s);
        self.per_s = per_s;
    }

    fn fill(&mut self, now: Duration) {
        let passed_ns = now.saturating_sub(self.filled_at).as_nanos();
        self.filled_at = now;
        let filled = i128::try_from(passed_ns * u128::from(self.per_s)).unwrap();
        self.left = (self.left + filled).min(full(self.per_s));
    }
}

fn full(per_s: u64) -> i128 {
    i128::from(per_s) * i128::try_from(NS_PER_S).unwrap()
}
