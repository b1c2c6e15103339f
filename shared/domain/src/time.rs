//! Instants with millisecond precision, and calendar days, both in UTC. The present time is always an argument.

use std::fmt;

use serde::{Deserialize, Serialize};
use time::format_description::well_known::Rfc3339;
use time::{Date, Month, OffsetDateTime};

use crate::text::serde_as_text;

const MS_PER_DAY: i64 = 86_400_000;
/// 0001-01-01 and 9999-12-31T23:59:59.999Z: the years with four digits. The year 0 is excluded, because Python and
/// other languages can't parse it.
const MS_MIN: i64 = -62_135_596_800_000;
const MS_MAX: i64 = 253_402_300_799_999;
/// The days of these instants, since 1970.
const DAY_MIN: i64 = -719_162;
const DAY_MAX: i64 = 2_932_896;

/// An instant: milliseconds since 1970, within the years 1 to 9999 in UTC. Arithmetic saturates at both ends, so that a
/// wrong clock does not cause a panic.
///
/// The text form is RFC 3339 in UTC with milliseconds. It always has 24 characters, so texts sort as instants do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(i64);

/// A UTC calendar day within the years 1 to 9999. Arithmetic saturates at both ends. The text form `2026-01-31` always
/// has 10 characters, so texts sort as days do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Day(i32);

/// The text is not an RFC 3339 time or a calendar day, or is outside the years 1 to 9999 in UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not an RFC 3339 time or day of the years 0001 to 9999 in UTC")]
pub struct InvalidTime;

impl Timestamp {
    /// The instant so many milliseconds after 1970. A value out of range gives the nearest end of the range.
    pub fn from_millis(ms: i64) -> Timestamp {
        Timestamp(ms.clamp(MS_MIN, MS_MAX))
    }

    /// Milliseconds since 1970.
    pub fn millis(self) -> i64 {
        self.0
    }

    /// Whole seconds since 1970, rounded down.
    pub fn seconds(self) -> i64 {
        self.0.div_euclid(1000)
    }

    /// Parses RFC 3339 with any offset. Fractions of a millisecond are dropped. Errors if the text has another form or
    /// is out of range.
    pub fn parse(text: &str) -> Result<Timestamp, InvalidTime> {
        let parsed = OffsetDateTime::parse(text, &Rfc3339).map_err(|_| InvalidTime)?;
        // `unix_timestamp_nanos` is in UTC. The library's conversion to UTC is not used, because it panics out of
        // range.
        let ms = i64::try_from(parsed.unix_timestamp_nanos().div_euclid(1_000_000)).map_err(|_| InvalidTime)?;
        if (MS_MIN..=MS_MAX).contains(&ms) { Ok(Timestamp(ms)) } else { Err(InvalidTime) }
    }

    /// The UTC day of this instant.
    pub fn day(self) -> Day {
        Day::new(self.0.div_euclid(MS_PER_DAY))
    }

    /// The instant `ms` milliseconds later, or earlier if `ms` is negative.
    pub fn plus_millis(self, ms: i64) -> Timestamp {
        Timestamp::from_millis(self.0.saturating_add(ms))
    }

    /// The instant `seconds` seconds later.
    pub fn plus_seconds(self, seconds: u32) -> Timestamp {
        self.plus_millis(i64::from(seconds) * 1000)
    }

    /// Milliseconds from `earlier` to this instant. Negative if this instant is before `earlier`.
    pub fn since(self, earlier: Timestamp) -> i64 {
        self.0.saturating_sub(earlier.0)
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let of_day = self.0.rem_euclid(MS_PER_DAY);
        let (hours, minutes) = (of_day / 3_600_000, of_day / 60_000 % 60);
        write!(f, "{}T{hours:02}:{minutes:02}:{:02}.{:03}Z", self.day(), of_day / 1000 % 60, of_day % 1000)
    }
}

impl Day {
    /// The day so many days after 1970. A value out of range gives the nearest end of the range.
    fn new(days: i64) -> Day {
        Day(i32::try_from(days.clamp(DAY_MIN, DAY_MAX)).unwrap_or_default())
    }

    /// Parses `2026-01-31`. Errors if the text has another form or is out of range.
    pub fn parse(text: &str) -> Result<Day, InvalidTime> {
        if text.len() != 10 {
            return Err(InvalidTime);
        }
        Timestamp::parse(&format!("{text}T00:00:00Z")).map(Timestamp::day)
    }

    /// The day `days` days later.
    pub fn plus_days(self, days: u16) -> Day {
        Day::new(i64::from(self.0) + i64::from(days))
    }

    /// The first instant of this day.
    pub fn start(self) -> Timestamp {
        Timestamp::from_millis(i64::from(self.0) * MS_PER_DAY)
    }
}

impl fmt::Display for Day {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let epoch = Date::from_calendar_date(1970, Month::January, 1).map_err(|_| fmt::Error)?;
        let date = epoch.checked_add(time::Duration::days(i64::from(self.0))).ok_or(fmt::Error)?;
        write!(f, "{:04}-{:02}-{:02}", date.year(), u8::from(date.month()), date.day())
    }
}

serde_as_text!(Timestamp);
serde_as_text!(Day);

/// The time after which the table deletes an item.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Expiry(i64);

impl Expiry {
    /// The expiry `days` days after `time`.
    pub fn after(time: Timestamp, days: u32) -> Expiry {
        Expiry(time.seconds().saturating_add(i64::from(days) * 86_400))
    }

    /// Whole seconds since 1970, the form that DynamoDB requires.
    pub fn seconds(self) -> i64 {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn times_have_a_fixed_width_and_read_back() {
        for (ms, text) in [
            (0, "1970-01-01T00:00:00.000Z"),
            (1_769_860_800_123, "2026-01-31T12:00:00.123Z"),
            (-1, "1969-12-31T23:59:59.999Z"),
            (i64::MAX, "9999-12-31T23:59:59.999Z"),
            (i64::MIN, "0001-01-01T00:00:00.000Z"),
        ] {
            assert_eq!(Timestamp::from_millis(ms).to_string(), text);
            assert_eq!(Timestamp::parse(text), Ok(Timestamp::from_millis(ms)));
        }
    }

    #[test]
    fn an_offset_is_converted_to_utc() {
        assert_eq!(Timestamp::parse("2026-01-31T14:00:00.123456+02:00"), Timestamp::parse("2026-01-31T12:00:00.123Z"));
    }

    #[test]
    fn times_outside_the_years_1_to_9999_are_refused() {
        let first = "0001-01-01T00:00:00.000Z";
        let last = "9999-12-31T23:59:59.999Z";
        for (text, expected) in [
            ("0001-01-01T00:00:00Z", Some(first)),
            ("0001-01-01T00:00:00-00:00", Some(first)),
            ("0001-01-01T00:00:00+00:01", None),
            ("0001-01-01T00:00:00+23:59", None),
            ("0001-01-01T23:59:00+23:59", Some(first)),
            ("0000-12-31T23:59:59.999Z", None),
            ("0000-12-31T23:59:00-00:01", Some(first)),
            ("0000-12-31T00:01:00-23:59", Some(first)),
            ("0000-01-01T00:00:00+23:59", None),
            ("9999-12-31T23:59:59.999999999Z", Some(last)),
            ("9999-12-31T23:59:59.999-00:01", None),
            ("9999-12-31T23:59:59-01:00", None),
            ("9999-12-31T23:59:59-23:59", None),
            ("9999-12-31T00:00:59.999-23:59", Some(last)),
            // A leap second is the last millisecond before it.
            ("9999-12-31T23:59:60Z", Some(last)),
            ("9999-12-31T23:59:60-00:01", None),
            ("-9999-01-01T00:00:00Z", None),
            ("-0001-01-01T00:00:00Z", None),
            ("+10000-01-01T00:00:00Z", None),
            ("10000-01-01T00:00:00Z", None),
            ("2026-01-31T12:00:00+24:00", None),
        ] {
            let read = Timestamp::parse(text).map(|time| time.to_string());
            assert_eq!(read.ok().as_deref(), expected, "{text}");
        }
    }

    #[test]
    fn arithmetic_saturates_at_both_ends() {
        let (first, last) = (Timestamp::from_millis(i64::MIN), Timestamp::from_millis(i64::MAX));
        assert_eq!([last.plus_millis(1), last.plus_millis(i64::MAX), last.plus_seconds(u32::MAX)], [last; 3]);
        assert_eq!([first.plus_millis(-1), first.plus_millis(i64::MIN)], [first; 2]);
        // 9999-12-31 is day 2,932,896 after 1970, and 0001-01-01 day 719,162 before it.
        assert_eq!(last.since(first), (2_932_896 + 719_162 + 1) * 86_400_000 - 1);
        assert_eq!(first.since(last), -last.since(first));
        assert_eq!(last.day().plus_days(1), last.day());
        assert_eq!(last.day().plus_days(u16::MAX).to_string(), "9999-12-31");
        assert_eq!(last.day().start().to_string(), "9999-12-31T00:00:00.000Z");
        assert_eq!(first.day().to_string(), "0001-01-01");
    }

    #[test]
    fn days_follow_the_calendar() {
        let day = Timestamp::parse("2026-02-27T23:59:59.999Z").unwrap().day();
        assert_eq!(day.to_string(), "2026-02-27");
        assert_eq!(day.plus_days(2).to_string(), "2026-03-01");
        assert_eq!(day.start().to_string(), "2026-02-27T00:00:00.000Z");
        assert_eq!(Day::parse("2026-02-27"), Ok(day));
        for wrong in ["2026-02-30", "2026-2-3", "yesterday", "2026-02-27T00:00:00Z", "0000-12-31", "2026-01-é"] {
            assert_eq!(Day::parse(wrong), Err(InvalidTime), "{wrong}");
        }
    }

    #[test]
    fn seconds_are_added_and_rounded_down() {
        let noon = Timestamp::parse("2026-01-31T12:00:00.999Z").unwrap();
        assert_eq!(noon.plus_seconds(90).to_string(), "2026-01-31T12:01:30.999Z");
        // date -u -d 2026-01-31T12:00:00Z +%s
        assert_eq!((noon.seconds(), Timestamp::from_millis(-1).seconds()), (1_769_860_800, -1));
    }

    #[test]
    fn an_item_expires_whole_days_after_a_time() {
        let noon = Timestamp::parse("2026-01-31T12:00:00.999Z").unwrap();
        // date -u -d 2026-03-02T12:00:00Z +%s
        assert_eq!(Expiry::after(noon, 30).seconds(), 1_772_452_800);
    }

    /// A text like a time. Each part may be valid or invalid.
    fn like_a_time() -> impl Strategy<Value = String> {
        let year = prop_oneof![
            Just("0000".to_owned()),
            Just("0001".to_owned()),
            Just("9999".to_owned()),
            "[+-]?[0-9]{4,5}".prop_map(|year: String| year),
        ];
        let rest = "-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])[Tt ]([01][0-9]|2[0-4]):[0-5][0-9]:[0-6][0-9]";
        let fraction = "(\\.[0-9]{0,12})?";
        let offset = "([zZ]|[+-]([01][0-9]|2[0-4]):[0-5][0-9])";
        (year, rest, fraction, offset).prop_map(|(year, rest, fraction, offset)| year + &rest + &fraction + &offset)
    }

    /// Checks that the text parses without a panic, and that a valid time is written with a fixed width and reads back.
    fn check_reading_back(text: &str) -> Result<(), TestCaseError> {
        let Ok(time) = Timestamp::parse(text) else { return Ok(()) };
        let written = time.to_string();
        prop_assert_eq!(written.len(), 24, "{}", text);
        prop_assert_eq!(Timestamp::parse(&written), Ok(time), "{}", text);
        prop_assert_eq!(Day::parse(&written[..10]), Ok(time.day()), "{}", text);
        Ok(())
    }

    proptest! {
        #[test]
        fn no_text_causes_a_panic(text in any::<String>()) {
            check_reading_back(&text)?;
            let _ = Day::parse(&text);
        }

        #[test]
        fn no_text_like_a_time_causes_a_panic(text in like_a_time()) {
            check_reading_back(&text)?;
        }

        #[test]
        fn texts_sort_as_times_and_days_do(a in any::<i64>(), b in any::<i64>(), days in any::<u16>()) {
            let (a, b) = (Timestamp::from_millis(a), Timestamp::from_millis(b));
            prop_assert_eq!(a.cmp(&b), a.to_string().cmp(&b.to_string()));
            let (a, b) = (a.day().plus_days(days), b.day());
            prop_assert_eq!(a.to_string().len(), 10);
            prop_assert_eq!(a.cmp(&b), a.to_string().cmp(&b.to_string()));
        }
    }
}
