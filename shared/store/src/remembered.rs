//! How long a process or the gateway may go on with a merchant or a key that has changed.

use std::time::Duration;

use spillway_domain::operation::CLOCK_SKEW_MS;
use spillway_domain::time::Timestamp;
use spillway_runtime::SettingError;
use spillway_runtime::settings::Environment;

/// Milliseconds after which Lambda ends `authenticate` and whatever answers a request: their timeout in the template.
const TIMEOUT_MS: i64 = 10_000;

/// How long what was read of a merchant or a key may be believed after it has changed.
#[derive(Debug, Clone, Copy)]
pub struct Remembered {
    /// `STORE_DEADLINE_MS`, which a write may take.
    store_deadline: Duration,
    /// `CACHE_SECONDS`, for which the gateway remembers the authorizer's answer.
    cache_s: u32,
}

impl Remembered {
    /// Reads it.
    pub fn read(environment: &Environment<'_>) -> Result<Remembered, SettingError> {
        Ok(Remembered { store_deadline: environment.store_deadline()?, cache_s: environment.number("CACHE_SECONDS")? })
    }

    /// The time from which every request sees a change of a merchant or a key whose write begins now.
    /// docs/decisions/0007 tells why it is so late.
    pub fn known_everywhere(&self, now: Timestamp) -> Timestamp {
        let write_ms = i64::try_from(self.store_deadline.as_millis()).unwrap_or(i64::MAX);
        now.plus_millis(write_ms + self.remembered_ms() + CLOCK_SKEW_MS)
    }

    /// Milliseconds for which requests may be let through on what the store said: the gateway remembers an answer of
    /// the authorizer from its end on, and that can be a whole timeout after the read.
    fn remembered_ms(&self) -> i64 {
        if self.cache_s == 0 { 0 } else { TIMEOUT_MS + i64::from(self.cache_s) * 1000 }
    }
}

/// When a raise of a merchant's shards comes into force.
#[derive(Debug, Clone, Copy)]
pub struct ShardsAhead {
    remembered: Remembered,
    /// `SHARDS_AHEAD_SECONDS`: from the raise on, at least.
    seconds: u32,
}

impl ShardsAhead {
    /// Reads it.
    pub fn read(environment: &Environment<'_>) -> Result<ShardsAhead, SettingError> {
        let seconds = environment.number("SHARDS_AHEAD_SECONDS")?;
        Ok(ShardsAhead { remembered: Remembered::read(environment)?, seconds })
    }

    /// From when on shards are in force whose raise is written now: no sooner than `SHARDS_AHEAD_SECONDS` say, and not
    /// while a request can be under way that came with a copy of the merchant from before. A reader of fewer shards than
    /// are written to would give a wrong balance.
    ///
    /// Where nothing is remembered there are no copies but those of the requests that are under way at this moment, and
    /// `SHARDS_AHEAD_SECONDS` alone count. The template takes no fewer than outlast every request; tests do, which know
    /// that there is none.
    pub fn shards_from(&self, now: Timestamp) -> Timestamp {
        let ahead = now.plus_seconds(self.seconds);
        if self.remembered.cache_s == 0 {
            return ahead;
        }
        ahead.max(self.remembered.known_everywhere(now).plus_millis(TIMEOUT_MS))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What `read` makes of these variables.
    fn with<T>(variables: &[(&str, &str)], read: impl Fn(&Environment<'_>) -> T) -> T {
        let value =
            |name: &str| variables.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned());
        read(&Environment::new(&value))
    }

    fn known_everywhere(store_deadline_ms: &str, cache_s: &str) -> Timestamp {
        let variables = [("STORE_DEADLINE_MS", store_deadline_ms), ("CACHE_SECONDS", cache_s)];
        with(&variables, Remembered::read).unwrap().known_everywhere(Timestamp::from_millis(500))
    }

    #[test]
    fn a_change_is_known_everywhere_when_the_slowest_read_before_it_has_left_every_cache() {
        let at = Timestamp::from_millis;
        // 3 s for the write, 10 s for the authorizer that read just before it, 60 s in the cache, 1 s between clocks.
        assert_eq!(known_everywhere("3000", "60"), at(74_500));
        assert_eq!(known_everywhere("9000", "1"), at(21_500));
        // Where nothing is remembered, who arrives when it is written is asked about anew.
        assert_eq!(known_everywhere("3000", "0"), at(4_500));
    }

    fn shards_from(cache_s: &str, ahead_s: &str) -> Timestamp {
        let variables = [("STORE_DEADLINE_MS", "3000"), ("CACHE_SECONDS", cache_s), ("SHARDS_AHEAD_SECONDS", ahead_s)];
        with(&variables, ShardsAhead::read).unwrap().shards_from(Timestamp::from_millis(500))
    }

    #[test]
    fn raised_shards_are_in_force_when_no_request_reads_fewer() {
        let at = Timestamp::from_millis;
        assert_eq!(shards_from("60", "3600"), at(3_600_500));
        // The 74 s of above, and 10 s for a request that arrived just before their end.
        assert_eq!(shards_from("60", "0"), at(84_500));
        assert_eq!(shards_from("60", "85"), at(85_500));
        assert_eq!([shards_from("0", "0"), shards_from("0", "5")], [at(500), at(5_500)]);
    }

    #[test]
    fn the_timeout_is_that_of_the_authorizer_and_of_every_reader_of_shards() {
        let template = include_str!("../../../infra/template.yaml");
        let globals = template.split("\nGlobals:\n").nth(1).and_then(|rest| rest.split("\nResources:\n").next());
        assert!(globals.unwrap().contains(&format!("\n    Timeout: {}\n", TIMEOUT_MS / 1000)));
        for function in ["Authenticate", "GetBalance", "ListPayments", "ListBalanceTransactions"] {
            let block = template.split(&format!("\n  {function}:\n    Type: ")).nth(1).unwrap();
            let block = block.split(&format!("\n  {function}Logs:\n")).next().unwrap();
            assert!(!block.contains("Timeout:"), "{function}");
        }
    }
}
