//! How much of everything is measured.

use std::time::Duration;

/// Sizes of a run.
#[derive(Debug, Clone, Copy)]
pub struct Plan {
    /// Times that each function is started alone.
    pub rounds: usize,
    /// Events after the first one that it gets each time.
    pub events: usize,
    /// Payments of one client, of eight, and of thirty-two.
    pub payments: [(usize, usize); 3],
    /// Payments at a modest rate, of each client.
    pub paced_payments: usize,
    /// Payments that are folded together.
    pub folded: usize,
    /// Payments that come one by one.
    pub alone: usize,
    /// How long each part of the flood lasts.
    pub flood: Duration,
    /// Events under callgrind; then twice as many.
    pub counted_events: usize,
}

impl Plan {
    /// What the figures in docs/performance.md are made of.
    pub const FULL: Plan = Plan {
        rounds: 20,
        events: 25,
        payments: [(1, 400), (8, 3000), (32, 4000)],
        paced_payments: 100,
        folded: 500,
        alone: 50,
        flood: Duration::from_secs(30),
        counted_events: 100,
    };

    /// A look, in about a minute: medians mean something, the hundredth of all hardly.
    pub const QUICK: Plan = Plan {
        rounds: 5,
        events: 20,
        payments: [(1, 100), (8, 400), (32, 600)],
        paced_payments: 20,
        folded: 500,
        alone: 10,
        flood: Duration::from_secs(5),
        counted_events: 20,
    };
}
