//! The clock, passed in so that tests can set it, and the formats of times.

use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use time::OffsetDateTime;

/// Returns the time in milliseconds since 1970, UTC.
pub type Clock = Arc<dyn Fn() -> i64 + Send + Sync>;

/// The machine's clock.
pub fn system() -> Clock {
    Arc::new(|| {
        let since = SystemTime::now().duration_since(UNIX_EPOCH);
        since.map_or(0, |since| i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
    })
}

/// As `2026-01-31T12:00:00.123Z`.
pub fn rfc3339(ms: i64) -> String {
    format!("{}T{}Z", read(ms).date(), of_day(ms))
}

/// As `12:00:00.123`.
pub fn of_day(ms: i64) -> String {
    let (hour, minute, second, ms) = read(ms).to_hms_milli();
    format!("{hour:02}:{minute:02}:{second:02}.{ms:03}")
}

/// As `31/Jan/2026:12:00:00 +0000`, the form of access logs.
pub fn access_log(ms: i64) -> String {
    let time = read(ms);
    let (hour, minute, second) = time.to_hms();
    let month = time.month().to_string();
    let month = month.get(..3).unwrap_or_default();
    format!("{:02}/{month}/{}:{hour:02}:{minute:02}:{second:02} +0000", time.day(), time.year())
}

fn read(ms: i64) -> OffsetDateTime {
    let time = OffsetDateTime::from_unix_timestamp_nanos(i128::from(ms) * 1_000_000);
    time.unwrap_or(OffsetDateTime::UNIX_EPOCH)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_written_as_aws_writes_them() {
        let ms = 1_769_860_800_123;
        assert_eq!(rfc3339(ms), "2026-01-31T12:00:00.123Z");
        assert_eq!(of_day(ms), "12:00:00.123");
        assert_eq!(access_log(ms), "31/Jan/2026:12:00:00 +0000");
    }
}
