//! Times as the API and the table write them.

use time::{Duration, OffsetDateTime};

/// RFC 3339 in UTC with milliseconds, this many seconds from now; texts of this form sort by time.
pub fn in_seconds(seconds: i64) -> String {
    let time = OffsetDateTime::now_utc() + Duration::seconds(seconds);
    let (hour, minute, second, milli) = time.time().as_hms_milli();
    format!("{}T{hour:02}:{minute:02}:{second:02}.{milli:03}Z", time.date())
}

/// Now, in the same form.
pub fn now() -> String {
    in_seconds(0)
}
