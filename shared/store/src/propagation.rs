//! The times from which a change of a merchant or an API key is in force everywhere, in spite of caches.

use std::time::Duration;

use spillway_domain::operation::CLOCK_SKEW_MS;
use spillway_domain::time::Timestamp;
use spillway_runtime::SettingError;
use spillway_runtime::settings::Environment;

/// Milliseconds after which Lambda ends `authenticate` and the endpoints: their timeout in the template.
const TIMEOUT_MS: i64 = 10_000;

/// The settings that bound how long a cached merchant or API key is used after it has changed.
#[derive(Debug, Clone, Copy)]
pub struct Propagation {
    /// `STORE_DEADLINE_MS`: the longest time of a write.
    store_deadline: Duration,
    /// `CACHE_SECONDS`: the time for which the gateway caches the authorizer's answer.
    cache_s: u32,
}

impl Propagation {
    /// Reads the settings. Errors if one is missing or wrong.
    pub fn read(environment: &Environment<'_>) -> Result<Propagation, SettingError> {
        Ok(Propagation { store_deadline: environment.store_deadline()?, cache_s: environment.number("CACHE_SECONDS")? })
    }

    /// The time from which every request sees a change of a merchant or a key that is written now.
    /// docs/decisions/0007 explains why it is so late.
    pub fn effective_at(&self, now: Timestamp) -> Timestamp {
        let write_ms = i64::try_from(self.store_deadline.as_millis()).unwrap_or(i64::MAX);
        now.plus_millis(write_ms + self.cached_ms() + CLOCK_SKEW_MS)
    }

    /// The longest time, in milliseconds, from a read by the authorizer until the gateway drops the cached answer. The
    /// cache time begins when the authorizer ends, which can be a whole timeout after its read.
    fn cached_ms(&self) -> i64 {
        if self.cache_s == 0 { 0 } else { TIMEOUT_MS + i64::from(self.cache_s) * 1000 }
    }
}

/// The settings that determine when a higher number of a merchant's shards is in force.
#[derive(Debug, Clone, Copy)]
pub struct ShardsAhead {
    propagation: Propagation,
    /// `SHARDS_AHEAD_SECONDS`: the least time between the write and the time at which it is in force.
    seconds: u32,
}

impl ShardsAhead {
    /// Reads the settings. Errors if one is missing or wrong.
    pub fn read(environment: &Environment<'_>) -> Result<ShardsAhead, SettingError> {
        let seconds = environment.number("SHARDS_AHEAD_SECONDS")?;
        Ok(ShardsAhead { propagation: Propagation::read(environment)?, seconds })
    }

    /// The time from which a higher number of shards is in force, if it is written now. It is at least
    /// `SHARDS_AHEAD_SECONDS` from now, and after the end of every request with an older copy of the merchant. A
    /// request that read fewer shards than others write to would return a wrong balance.
    ///
    /// If the gateway caches nothing, only requests that are under way have older copies, and `SHARDS_AHEAD_SECONDS`
    /// alone counts. The template allows only values that outlast every request. Tests use smaller values, because they
    /// know that no request is under way.
    pub fn shards_from(&self, now: Timestamp) -> Timestamp {
        let ahead = now.plus_seconds(self.seconds);
        if self.propagation.cache_s == 0 {
            return ahead;
        }
        ahead.max(self.propagation.effective_at(now).plus_millis(TIMEOUT_MS))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn propagation(store_deadline_s: u64, cache_s: u32) -> Propagation {
        Propagation { store_deadline: Duration::from_secs(store_deadline_s), cache_s }
    }

    #[test]
    fn a_change_is_known_when_the_last_old_copy_has_expired() {
        let at = Timestamp::from_millis;
        let effective_at = |deadline_s, cache_s| propagation(deadline_s, cache_s).effective_at(at(500));
        // 3 s for the write, 10 s for the authorizer that read just before it, 60 s in the cache, 1 s between clocks.
        assert_eq!(effective_at(3, 60), at(74_500));
        assert_eq!(effective_at(9, 1), at(21_500));
        // Without a cache, every request after the write is authorized with a new read.
        assert_eq!(effective_at(3, 0), at(4_500));
    }

    #[test]
    fn more_shards_are_in_force_when_no_request_reads_fewer() {
        let at = Timestamp::from_millis;
        let shards_from =
            |cache_s, seconds| ShardsAhead { propagation: propagation(3, cache_s), seconds }.shards_from(at(500));
        assert_eq!(shards_from(60, 3_600), at(3_600_500));
        // The 74 s of the test above, and 10 s for a request that arrived just before their end.
        assert_eq!(shards_from(60, 0), at(84_500));
        assert_eq!(shards_from(60, 85), at(85_500));
        assert_eq!([shards_from(0, 0), shards_from(0, 5)], [at(500), at(5_500)]);
    }

    #[test]
    fn the_timeout_matches_the_template() {
        let template = spillway_tests::Template::read();
        let timeout = |path: &[&str]| template.get(path).and_then(|value| value.as_i64());
        assert_eq!(timeout(&["Globals", "Function", "Timeout"]), Some(TIMEOUT_MS / 1000));
        for function in ["Authenticate", "GetBalance", "ListPayments", "ListBalanceTransactions"] {
            assert!(template.get(&["Resources", function]).is_some(), "{function}");
            assert_eq!(timeout(&["Resources", function, "Properties", "Timeout"]), None, "{function}");
        }
    }
}
