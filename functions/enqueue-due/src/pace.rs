//! The rate of the claims. It begins low, grows while the table accepts all claims, and halves when the table refuses
//! one. So a sweep of a large backlog leaves throughput to the requests of clients, also on a small table.

use std::sync::{Mutex, PoisonError};

/// The rate before the table has accepted anything, in claims per second. A claim takes 2 write units of the index `due`,
/// and the index of a new on-demand table takes 4,000 a second.
const FIRST_RATE: u64 = 1000;
/// The lowest rate, in claims per second.
const RATE_MIN: u64 = 10;
/// By how much each claim raises the rate, in thousandths of a claim per second: a rate grows by a fifth in a second.
const GROWTH: u64 = 200;
/// The shortest time between two halvings, in microseconds. All claims of an overload that are under way together halve
/// the rate once.
const CUT_US: i64 = 200_000;
/// How far a pace that fell behind may catch up, in microseconds.
const CATCH_UP_US: i64 = 50_000;

/// The pace of all claims of a process. It is kept from one sweep to the next.
#[derive(Debug)]
pub struct Pace {
    /// The largest rate, in thousandths of a claim per second, as all rates here.
    max: u64,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    rate: u64,
    /// The time of the next claim, in microseconds since 1970.
    next_us: i64,
    /// The time of the last halving.
    cut_us: i64,
}

impl Pace {
    /// A pace of at most `max` claims per second.
    pub fn new(max: u32) -> Pace {
        let max = u64::from(max).max(RATE_MIN) * 1000;
        let rate = max.min(FIRST_RATE * 1000);
        Pace { max, state: Mutex::new(State { rate, next_us: 0, cut_us: 0 }) }
    }

    /// The microseconds to wait before the next `count` claims.
    pub fn wait_us(&self, count: usize, now_us: i64) -> i64 {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let count = u64::try_from(count).unwrap_or(u64::MAX);
        let start = state.next_us.max(now_us - CATCH_UP_US);
        // A rate that the sweep does not reach does not grow.
        if start == state.next_us {
            state.rate = state.rate.saturating_add(count.saturating_mul(GROWTH)).min(self.max);
        }
        let takes_us = count.saturating_mul(1_000_000_000) / state.rate;
        state.next_us = start.saturating_add(i64::try_from(takes_us).unwrap_or(i64::MAX));
        (start - now_us).max(0)
    }

    /// Notes that the table has throttled a claim, or that it failed otherwise, such as by a timeout.
    pub fn refused(&self, now_us: i64) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if now_us - state.cut_us >= CUT_US {
            state.rate = (state.rate / 2).max(RATE_MIN * 1000);
            state.cut_us = now_us;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A second, in microseconds.
    const SECOND: i64 = 1_000_000;

    /// A table that takes this many claims in each tenth of a second, for a claiming sweep without a delay.
    struct Table {
        claims: u64,
        left: u64,
        tenth: i64,
    }

    /// Claims made, and claims throttled, in each of the next seconds.
    fn claims(pace: &Pace, per_second: u64, from_us: i64, seconds: usize) -> Vec<(u64, u64)> {
        let mut table = Table { claims: per_second / 10, left: 0, tenth: -1 };
        let mut all = vec![(0, 0); seconds];
        let mut now = from_us;
        loop {
            now += pace.wait_us(10, now);
            let Some(second) = usize::try_from((now - from_us) / SECOND).ok().and_then(|second| all.get_mut(second))
            else {
                return all;
            };
            let tenth = now / (SECOND / 10);
            if tenth != table.tenth {
                (table.left, table.tenth) = (table.claims, tenth);
            }
            let taken = table.left.min(10);
            table.left -= taken;
            second.0 += taken;
            second.1 += 10 - taken;
            if taken < 10 {
                pace.refused(now);
            }
        }
    }

    #[test]
    fn a_rate_grows_by_a_fifth_a_second_up_to_the_largest() {
        let pace = Pace::new(10_000);
        let all = claims(&pace, 1_000_000, SECOND, 60);
        assert!(all.iter().all(|(_, throttled)| *throttled == 0));
        // 1,000 in the first second, with the growth of this second and what a pace may catch up at the start.
        assert!((1_000..1_300).contains(&all[0].0), "{all:?}");
        // 1,000 × 1.2^5 is 2,488; growth at each claim makes e^(0.2 × 5) of it, 2,718.
        assert!((2_400..3_300).contains(&all[5].0), "{all:?}");
        // From the twelfth second on: 10,000 a second, which are 600,000 a minute.
        assert!(all[12..].iter().all(|(made, _)| (9_980..=10_020).contains(made)), "{all:?}");
        let next = claims(&pace, 1_000_000, 61 * SECOND, 60);
        assert!(next.iter().map(|(made, _)| made).sum::<u64>() >= 599_000, "the next sweep begins at the full rate");
    }

    /// Milliseconds from each try of a client's call to the next: half of the waits that the SDK makes.
    const RETRIES_MS: [i64; 7] = [12, 25, 50, 100, 200, 250, 250];

    /// A sweep beside a payment each millisecond, on a table that takes 40,000 write units a second with its indexes, which
    /// is less than AWS allows by default: 400 in each 10 ms. A
    /// payment takes 19 units, a claim 3. Returns the claims made, the throttled tries of payments, and the payments whose
    /// tries all failed.
    fn beside_payments(pace: &Pace, seconds: i64) -> (u64, u64, u64) {
        let (mut made, mut throttled, mut failed, mut units) = (0, 0, 0, 0);
        let mut tries: Vec<(i64, usize)> = Vec::new();
        let mut chunk_at = SECOND;
        for now in (SECOND..SECOND + seconds * SECOND).step_by(1000) {
            if now % 10_000 == 0 {
                units = 400;
            }
            while chunk_at <= now {
                for _ in 0..10 {
                    if units < 3 {
                        pace.refused(chunk_at);
                    } else {
                        units -= 3;
                        made += 1;
                    }
                }
                chunk_at += pace.wait_us(10, chunk_at).max(100);
            }
            tries.push((now, 0));
            for (at, number) in std::mem::take(&mut tries) {
                if at > now {
                    tries.push((at, number));
                } else if units >= 19 {
                    units -= 19;
                } else if let Some(wait) = RETRIES_MS.get(number) {
                    throttled += 1;
                    tries.push((now + wait * 1000, number + 1));
                } else {
                    failed += 1;
                }
            }
        }
        (made, throttled, failed)
    }

    #[test]
    fn a_throttled_pace_leaves_room_for_payments() {
        // 40,000 units less 19,000 leave 7,000 claims a second, 420,000 a minute.
        let (made, throttled, failed) = beside_payments(&Pace::new(10_000), 60);
        assert_eq!(failed, 0, "payments failed beside {made} claims");
        assert!((280_000..=420_000).contains(&made), "{made} claims in a minute");
        assert!(throttled < 600, "{throttled} tries of 60,000 payments were throttled");
    }

    #[test]
    fn a_small_table_is_left_to_its_clients() {
        // A table that takes nothing: ten claims a second try it.
        let pace = Pace::new(10_000);
        let all = claims(&pace, 0, SECOND, 10);
        assert!(all[5..].iter().all(|(_, throttled)| *throttled <= 20), "{all:?}");
    }

    #[test]
    fn a_rate_that_is_not_used_does_not_grow() {
        let pace = Pace::new(10_000);
        for second in 1..60 {
            assert_eq!(pace.wait_us(10, second * SECOND), 0);
        }
        let all = claims(&pace, 1_000_000, 60 * SECOND, 1);
        assert!(all[0].0 < 1_300, "{all:?}");
    }
}
