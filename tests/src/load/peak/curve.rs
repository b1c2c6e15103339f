//! The load over time: how many requests arrive in each part of a weekend, and when.

use std::time::Duration;

/// Requests of the mean day.
const MEAN_PER_DAY: u64 = 500_000;
/// Requests a day while the business grows.
const GROWTH_PER_DAY: [u64; 5] = [5_000, 15_000, 50_000, 150_000, MEAN_PER_DAY];
/// Hours that each of them lasts.
const GROWTH_HOURS: u32 = 3;
/// The hours of a usual day, in percent of its mean.
const USUAL_DAY: [u64; 24] =
    [40, 30, 20, 20, 20, 30, 50, 80, 110, 130, 140, 150, 150, 140, 130, 130, 130, 130, 160, 170, 160, 130, 90, 60];
/// The hours of the Saturday, in percent of the mean: ten times the mean from 11 to 15 o'clock.
const SATURDAY: [u64; 24] = [
    60, 40, 30, 20, 20, 30, 60, 150, 300, 500, 800, 1000, 1000, 1000, 1000, 900, 800, 700, 600, 500, 400, 300, 200, 100,
];
/// The flash, in percent of the mean.
const FLASH_PERCENT: u64 = 5000;
const DAY_US: u128 = 86_400_000_000;

/// A time of even load.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Slice {
    /// The part of the run that it belongs to. Slices of one part follow each other.
    pub part: &'static str,
    /// Its load, as requests a day.
    pub per_day: u64,
    /// How long it lasts in the run.
    pub length: Duration,
    /// Whether it is the flash, during which functions may be killed and a receiver hangs.
    pub is_flash: bool,
}

/// A growing business and its weekend. An hour lasts `hour` in the run, and the flash `flash`. The rates are real.
pub fn weekend(hour: Duration, flash: Duration) -> Vec<Slice> {
    let slice = |part, per_day, length| Slice { part, per_day, length, is_flash: false };
    let hours = |part, percents: &[u64]| -> Vec<Slice> {
        percents.iter().map(|percent| slice(part, MEAN_PER_DAY * percent / 100, hour)).collect()
    };
    let growth = GROWTH_PER_DAY.map(|per_day| slice("growth, 5,000 to 500,000 a day", per_day, hour * GROWTH_HOURS));
    let per_day = MEAN_PER_DAY * FLASH_PERCENT / 100;
    [
        growth.to_vec(),
        hours("Friday, 18 to 24", &USUAL_DAY[18..]),
        hours("Saturday, 0 to 8", &SATURDAY[..8]),
        hours("Saturday, 8 to 11", &SATURDAY[8..11]),
        hours("Saturday, 11 to 13: ten times", &SATURDAY[11..13]),
        vec![Slice { is_flash: true, ..slice("flash: fifty times", per_day, flash) }],
        hours("Saturday, 13 to 15: ten times", &SATURDAY[13..15]),
        hours("Saturday, 15 to 20", &SATURDAY[15..20]),
        hours("Saturday, 20 to 24", &SATURDAY[20..]),
        hours("Sunday", &USUAL_DAY),
    ]
    .concat()
}

/// When each request arrives, from the start of the run: at random within its slice, as clients that know nothing of
/// each other send.
pub fn arrivals(curve: &[Slice], random: &mut fastrand::Rng) -> Vec<Duration> {
    let (mut all, mut start) = (Vec::new(), Duration::ZERO);
    // Requests so far, times `DAY_US`.
    let mut load = 0_u128;
    for slice in curve {
        let before = load / DAY_US;
        load += u128::from(slice.per_day) * slice.length.as_micros();
        let length_us = u64::try_from(slice.length.as_micros()).unwrap_or(u64::MAX).max(1);
        all.extend((before..load / DAY_US).map(|_| start + Duration::from_micros(random.u64(0..length_us))));
        start += slice.length;
    }
    all.sort_unstable();
    all
}

/// How long the whole curve lasts.
pub fn length(curve: &[Slice]) -> Duration {
    curve.iter().map(|slice| slice.length).sum()
}

/// When the flash begins and ends; empty without a flash.
pub fn flash(curve: &[Slice]) -> std::ops::Range<Duration> {
    let Some(place) = curve.iter().position(|slice| slice.is_flash) else { return Duration::ZERO..Duration::ZERO };
    let begin = length(&curve[..place]);
    begin..begin + curve[place].length
}
