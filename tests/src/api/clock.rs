//! Times as in the API and the table.

use time::format_description::well_known::Rfc3339;
use time::{Duration, OffsetDateTime};

/// The time in this many seconds: RFC 3339 in UTC with milliseconds, which sorts as text.
pub fn in_seconds(seconds: i64) -> String {
    let time = OffsetDateTime::now_utc() + Duration::seconds(seconds);
    let (hour, minute, second, milli) = time.time().as_hms_milli();
    format!("{}T{hour:02}:{minute:02}:{second:02}.{milli:03}Z", time.date())
}

/// Now, in the same form.
pub fn now() -> String {
    in_seconds(0)
}

/// Milliseconds since 1970 of such a time.
pub fn millis(text: &str) -> i64 {
    let nanos = OffsetDateTime::parse(text, &Rfc3339).unwrap().unix_timestamp_nanos();
    i64::try_from(nanos / 1_000_000).unwrap()
}

/// Times at both ends of the calendar with all kinds of offsets, and the same in UTC; `None` if outside the calendar.
pub fn at_the_ends_of_the_calendar() -> Vec<(String, Option<String>)> {
    let mut times = Vec::new();
    for (offset, first_in_utc, last_in_utc) in [
        // The last second of the year 0 in this offset, and the last of the year 9999.
        ("+00:00", None, Some("9999-12-31T23:59:59.000Z")),
        ("-00:00", None, Some("9999-12-31T23:59:59.000Z")),
        ("+00:01", None, Some("9999-12-31T23:58:59.000Z")),
        ("-00:01", Some("0001-01-01T00:00:59.000Z"), None),
        ("+01:00", None, Some("9999-12-31T22:59:59.000Z")),
        ("-01:00", Some("0001-01-01T00:59:59.000Z"), None),
        ("+12:00", None, Some("9999-12-31T11:59:59.000Z")),
        ("-12:00", Some("0001-01-01T11:59:59.000Z"), None),
        ("+23:59", None, Some("9999-12-31T00:00:59.000Z")),
        ("-23:59", Some("0001-01-01T23:58:59.000Z"), None),
    ] {
        for (start, utc) in [
            ("0000-12-31T23:59:59", first_in_utc),
            ("9999-12-31T23:59:59", last_in_utc),
            ("0000-01-01T00:00:00", None),
            ("-9999-01-01T00:00:00", None),
            ("-9999-12-31T23:59:59", None),
            ("+10000-01-01T00:00:00", None),
            ("+10000-12-31T23:59:59", None),
        ] {
            times.push((format!("{start}{offset}"), utc.map(str::to_owned)));
        }
    }
    times
}
