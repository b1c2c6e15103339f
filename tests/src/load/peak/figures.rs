//! The figures of a peak, from what its clients and its watcher noted.

use std::ops::Range;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::curve::{self, Slice};
use crate::meter::Try;
use crate::percentiles::Percentiles;
use crate::show::micros;

/// Points of each line of the plot.
pub(super) const BINS: u32 = 120;
/// The status of a refusal.
const TOO_MANY: u16 = 429;

/// What was measured.
#[derive(Debug)]
pub struct Measured {
    /// The load.
    pub curve: Vec<Slice>,
    /// Start of the run.
    pub began: Instant,
    /// When each request arrived, without repeats and refunds.
    pub arrivals: Vec<Duration>,
    /// Each request as it was sent, with repeats and refunds.
    pub tries: Vec<Try>,
    /// What waited.
    pub samples: Vec<Sample>,
    /// When the last event was acknowledged and the queues were empty.
    pub drained: Duration,
}

/// What waited at one time.
#[derive(Debug, Clone, Copy)]
pub struct Sample {
    /// Time since the start.
    pub at: Duration,
    /// Age of the oldest message in a work queue; `None` if it is not known.
    pub oldest: Option<Duration>,
    /// Events that were expected and not acknowledged.
    pub under_way: usize,
}

/// The figures of each part, of the whole run, and of each point of the plot.
pub fn of(measured: &Measured) -> Value {
    let end = curve::length(&measured.curve);
    let mut parts = Vec::new();
    let mut start = Duration::ZERO;
    for slices in measured.curve.chunk_by(|slice, next| slice.part == next.part) {
        let times = start..start + curve::length(slices);
        start = times.end;
        parts.push(part(measured, slices[0].part, slices.iter().any(|slice| slice.is_flash), &times));
    }
    // Repeats and refunds are sent, and webhooks delivered, after the last request has arrived.
    parts.push(part(measured, "afterwards", false, &(end..measured.drained.max(end))));
    let all = Duration::ZERO..measured.drained.max(end) + Duration::from_nanos(1);
    // A long wait for the last events would leave no room for the rest.
    let plotted = all.end.min(end * 5 / 4);
    let step = plotted / BINS;
    let bins = (0..BINS).map(|number| part(measured, "", false, &(step * number..step * (number + 1))));
    json!({
        "parts": parts,
        "whole": part(measured, "the whole run", false, &all),
        "bins": bins.collect::<Vec<_>>(),
        "plotted_ms": millis(plotted),
        "drained_ms": millis(measured.drained.saturating_sub(end)),
    })
}

/// The figures of the requests that were sent at these times.
fn part(measured: &Measured, name: &str, is_flash: bool, times: &Range<Duration>) -> Value {
    let is_within = |one: &&Try| times.contains(&one.at.saturating_duration_since(measured.began));
    let tries: Vec<&Try> = measured.tries.iter().filter(is_within).collect();
    let (refused, answered): (Vec<&Try>, Vec<&Try>) =
        tries.iter().copied().partition(|one| one.status == Some(TOO_MANY));
    let failed = answered.iter().filter(|one| one.status.is_none_or(|status| status >= 500)).count();
    let took = |tries: &[&Try]| Percentiles::of(tries.iter().map(|one| one.took));
    let (answers, refusals) = (took(&answered), took(&refused));
    let at = |of: &Percentiles, permille| (of.count() > 0).then(|| micros(of.at_permille(permille)));
    let samples = measured.samples.iter().filter(|sample| times.contains(&sample.at));
    json!({
        "name": name,
        "is_flash": is_flash,
        "at_ms": millis(times.start),
        "length_ms": millis(times.end - times.start),
        "arrived": measured.arrivals.iter().filter(|arrival| times.contains(*arrival)).count(),
        "sent": tries.len(),
        "failed": failed,
        "refused": refused.len(),
        "p50_us": at(&answers, 500),
        "p99_us": at(&answers, 990),
        "p999_us": at(&answers, 999),
        "refusal_p99_us": at(&refusals, 990),
        "oldest_message_ms": samples.clone().filter_map(|sample| sample.oldest).max().map(millis),
        "events_under_way": samples.map(|sample| sample.under_way).max(),
    })
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
