//! The partitions behind one partition key: a list of ranges of sort keys, each with the units of a partition.
//!
//! Every key begins with one range. A range that was refused for some time is split at the median of the sort keys that
//! were used last. So traffic that is spread over the sort keys gets twice the units, and traffic whose sort keys grow
//! with time does not: all of it goes to the upper half.

use std::collections::VecDeque;
use std::time::Duration;

use crate::bucket::Bucket;

/// Sort keys of the last calls from which the median is taken.
const REMEMBERED: usize = 101;
/// Refusals further apart than this are not one time of heat.
const COOLS_AFTER: Duration = Duration::from_secs(10);

#[derive(Debug)]
struct Range {
    /// The first sort key.
    from: String,
    bucket: Bucket,
    used: VecDeque<String>,
    /// The first and the last refusal of the present time of heat.
    hot: Option<(Duration, Duration)>,
}

impl Range {
    fn new(from: String, units_per_s: u64, now: Duration) -> Range {
        Range { from, bucket: Bucket::new(units_per_s, now), used: VecDeque::new(), hot: None }
    }
}

/// The ranges of one key for reads or for writes.
#[derive(Debug)]
pub struct Ranges {
    units_per_s: u64,
    /// By their first sort keys. The first range begins with the empty text.
    ranges: Vec<Range>,
}

impl Ranges {
    pub fn new(units_per_s: u64, now: Duration) -> Ranges {
        Ranges { units_per_s, ranges: vec![Range::new(String::new(), units_per_s, now)] }
    }

    /// The number of partitions.
    pub fn len(&self) -> usize {
        self.ranges.len()
    }

    /// Whether the ranges of this sort key, or all for None, have units. A refusal heats the range.
    pub fn has_units(&mut self, sort: Option<&str>, split_after: Option<Duration>, now: Duration) -> bool {
        let (first, last) = self.span(sort);
        let Some(at) = (first..=last).find(|at| !self.ranges[*at].bucket.has_units(now)) else { return true };
        let range = &mut self.ranges[at];
        let since = range.hot.filter(|(_, last)| now - *last <= COOLS_AFTER).map_or(now, |(since, _)| since);
        range.hot = Some((since, now));
        if split_after.is_some_and(|after| now - since >= after) {
            self.split(at, now);
        }
        false
    }

    /// Takes half units from the range of this sort key. A query takes them evenly from all ranges.
    pub fn take(&mut self, sort: Option<&str>, halves: u64, now: Duration) {
        let (first, last) = self.span(sort);
        let share = halves.div_ceil(u64::try_from(last - first + 1).unwrap());
        for range in &mut self.ranges[first..=last] {
            range.bucket.take(share, now);
            if let Some(sort) = sort {
                range.used.push_back(sort.to_owned());
                if range.used.len() > REMEMBERED {
                    range.used.pop_front();
                }
            }
        }
    }

    fn span(&self, sort: Option<&str>) -> (usize, usize) {
        match sort {
            Some(sort) => {
                let at = self.ranges.partition_point(|range| range.from.as_str() <= sort) - 1;
                (at, at)
            }
            None => (0, self.ranges.len() - 1),
        }
    }

    /// Splits a range in two. A range of which only one sort key is used can't be split.
    fn split(&mut self, at: usize, now: Duration) {
        let range = &mut self.ranges[at];
        range.hot = None;
        let mut used: Vec<String> = range.used.iter().cloned().collect();
        used.sort();
        let Some(median) = used.get(used.len() / 2).filter(|median| **median > used[0]).cloned() else { return };
        let (lower, upper): (VecDeque<_>, VecDeque<_>) = range.used.drain(..).partition(|sort| *sort < median);
        range.used = lower;
        let mut new = Range::new(median, self.units_per_s, now);
        new.used = upper;
        self.ranges.insert(at + 1, new);
    }
}
