//! Instants with millisecond precision and calendar days, both UTC. Now is always passed in.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use time::format_description::well_known::Rfc3339;
use time::{Date, Month, OffsetDateTime, UtcOffset};

const MS_PER_DAY: i64 = 86_400_000;
/// 0000-01-01 and 9999-12-31T23:59:59.999Z: what four digits of a year can write.
const MS_MIN: i64 = -62_167_219_200_000;
const MS_MAX: i64 = 253_402_300_799_999;

/// An instant: milliseconds since 1970, between the years 0 and 9999 (arithmetic saturates there).
///
/// Written as RFC 3339 in UTC with milliseconds, always 24 characters, so that texts sort as instants do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(i64);

/// A day of the UTC calendar, written `2026-01-31`: always 10 characters, so that texts sort as days do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Day(i32);

/// The text is no RFC 3339 time, or no calendar day.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not an RFC 3339 time or day")]
pub struct InvalidTime;

impl Timestamp {
    /// From milliseconds since 1970.
    pub fn from_millis(ms: i64) -> Timestamp {
        Timestamp(ms.clamp(MS_MIN, MS_MAX))
    }

    /// Milliseconds since 1970.
    pub fn millis(self) -> i64 {
        self.0
    }

    /// Reads RFC 3339 with any offset; what is finer than a millisecond is dropped.
    pub fn parse(text: &str) -> Result<Timestamp, InvalidTime> {
        let parsed = OffsetDateTime::parse(text, &Rfc3339).map_err(|_| InvalidTime)?;
        let ms = parsed.to_offset(UtcOffset::UTC).unix_timestamp_nanos().div_euclid(1_000_000);
        i64::try_from(ms).map(Timestamp::from_millis).map_err(|_| InvalidTime)
    }

    /// The UTC day that holds this instant.
    pub fn day(self) -> Day {
        // The range of years keeps the quotient far inside i32.
        Day(i32::try_from(self.0.div_euclid(MS_PER_DAY)).unwrap_or_default())
    }

    /// This many milliseconds later.
    pub fn plus_millis(self, ms: i64) -> Timestamp {
        Timestamp::from_millis(self.0.saturating_add(ms))
    }

    /// This many seconds later.
    pub fn plus_seconds(self, seconds: u32) -> Timestamp {
        self.plus_millis(i64::from(seconds) * 1000)
    }

    /// Milliseconds from `earlier` to this, negative when this is before it.
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
    /// Reads `2026-01-31`.
    pub fn parse(text: &str) -> Result<Day, InvalidTime> {
        if text.len() != 10 {
            return Err(InvalidTime);
        }
        Timestamp::parse(&format!("{text}T00:00:00Z")).map(Timestamp::day)
    }

    /// This many days later.
    pub fn plus_days(self, days: u16) -> Day {
        Day(self.0.saturating_add(i32::from(days)))
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

/// Serde through the text form, for a type that displays and parses.
macro_rules! serde_as_text {
    ($type:ty) => {
        impl Serialize for $type {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }
        impl<'de> Deserialize<'de> for $type {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = String::deserialize(deserializer)?;
                Self::parse(&text).map_err(serde::de::Error::custom)
            }
        }
    };
}
serde_as_text!(Timestamp);
serde_as_text!(Day);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_written_with_a_fixed_width_and_read_back() {
        for (ms, text) in [
            (0, "1970-01-01T00:00:00.000Z"),
            (1_769_860_800_123, "2026-01-31T12:00:00.123Z"),
            (-1, "1969-12-31T23:59:59.999Z"),
            (i64::MAX, "9999-12-31T23:59:59.999Z"),
        ] {
            assert_eq!(Timestamp::from_millis(ms).to_string(), text);
            assert_eq!(Timestamp::parse(text), Ok(Timestamp::from_millis(ms)));
        }
    }

    #[test]
    fn another_offset_is_the_same_instant() {
        assert_eq!(Timestamp::parse("2026-01-31T14:00:00.123456+02:00"), Timestamp::parse("2026-01-31T12:00:00.123Z"));
    }

    #[test]
    fn days_follow_the_calendar() {
        let day = Timestamp::parse("2026-02-27T23:59:59.999Z").unwrap().day();
        assert_eq!(day.to_string(), "2026-02-27");
        assert_eq!(day.plus_days(2).to_string(), "2026-03-01");
        assert_eq!(day.start().to_string(), "2026-02-27T00:00:00.000Z");
        assert_eq!(Day::parse("2026-02-27"), Ok(day));
        for wrong in ["2026-02-30", "2026-2-3", "yesterday", "2026-02-27T00:00:00Z"] {
            assert_eq!(Day::parse(wrong), Err(InvalidTime), "{wrong}");
        }
    }
}
