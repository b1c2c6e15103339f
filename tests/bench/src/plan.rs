//! The size of a benchmark run.

use std::time::Duration;

/// Sizes of a run.
#[derive(Debug, Clone, Copy)]
pub struct Plan {
    /// Starts of each function without an event.
    pub starts: usize,
    /// Starts of each function with events.
    pub rounds: usize,
    /// Number of events after the first one at each start.
    pub events: usize,
    /// Starts of get-refund in each state of the cache.
    pub cached_rounds: usize,
    /// Reads after each of these starts.
    pub cached: usize,
    /// Numbers of clients and payments: one, eight and thirty-two clients.
    pub payments: [(usize, usize); 3],
    /// Payments of each client at a modest rate.
    pub paced_payments: usize,
    /// Payments in one fold.
    pub folded: usize,
    /// Payments one by one.
    pub alone: usize,
    /// Payments one by one with each size of memory.
    pub sized: usize,
    /// Duration of each part of the flood.
    pub flood: Duration,
    /// Duration of each part with a server that never answers.
    pub receivers: Duration,
    /// Overdue items that the sweep enqueues.
    pub swept: usize,
    /// Dead deliveries of one merchant before the retry of another.
    pub dead: usize,
    /// Events under callgrind; a second run has twice as many.
    pub counted_events: usize,
}

impl Plan {
    /// The run behind docs/performance.md.
    pub const FULL: Plan = Plan {
        starts: 100,
        rounds: 20,
        events: 25,
        cached_rounds: 5,
        cached: 1_000,
        payments: [(1, 400), (8, 3000), (32, 4000)],
        paced_payments: 100,
        folded: 500,
        alone: 50,
        sized: 20,
        flood: Duration::from_secs(30),
        receivers: Duration::from_secs(120),
        swept: 300_000,
        dead: 100_000,
        counted_events: 100,
    };

    /// A quick run of about a minute: medians are meaningful, 99th percentiles hardly.
    pub const QUICK: Plan = Plan {
        starts: 20,
        rounds: 5,
        events: 20,
        cached_rounds: 2,
        cached: 300,
        payments: [(1, 100), (8, 400), (32, 600)],
        paced_payments: 20,
        folded: 500,
        alone: 10,
        sized: 3,
        flood: Duration::from_secs(5),
        receivers: Duration::from_secs(20),
        swept: 50_000,
        dead: 10_000,
        counted_events: 20,
    };
}
