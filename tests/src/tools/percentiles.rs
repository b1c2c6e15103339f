//! Percentiles of durations.

use std::time::Duration;

/// Durations of the same operation.
#[derive(Debug, Clone, Default)]
pub struct Percentiles(Vec<Duration>);

impl Percentiles {
    /// Collects these durations.
    pub fn of(durations: impl IntoIterator<Item = Duration>) -> Percentiles {
        let mut sorted: Vec<Duration> = durations.into_iter().collect();
        sorted.sort_unstable();
        Percentiles(sorted)
    }

    /// The smallest duration that `percent` (1 to 100) of all did not exceed, by nearest rank; zero without durations.
    pub fn at(&self, percent: usize) -> Duration {
        self.at_permille(percent * 10)
    }

    /// The same for `permille` (1 to 1000) of all.
    pub fn at_permille(&self, permille: usize) -> Duration {
        let rank = (self.0.len() * permille).div_ceil(1000).max(1);
        self.0.get(rank - 1).copied().unwrap_or_default()
    }

    /// Number of durations.
    pub fn count(&self) -> usize {
        self.0.len()
    }
}
