//! The one place that waits: for a condition, until a deadline.

use std::time::{Duration, Instant};

/// Between two looks: a tenth of the time waited so far, within these bounds, and thrice as long as the look itself
/// took, so that looking is no load of its own.
const INTERVALS_MS: (u128, u128) = (10, 500);

/// How long a test waits for what has to happen: far longer than it takes, for machines with little to give.
pub struct Deadline;

impl Deadline {
    /// For what follows within a second.
    pub const SOON: Duration = Duration::from_secs(30);
    /// For hundreds of payments, or for several rounds of waiting.
    pub const LATER: Duration = Duration::from_secs(120);
    /// For thousands of payments.
    pub const MUCH: Duration = Duration::from_secs(270);
}

/// How long a single look may take, when the deadline is nearer than that or past.
const LOOK: Duration = Duration::from_secs(20);

/// Asks `probe` until it answers `Ok`, and gives that. Past `deadline` the test fails with the last `Err`; a look that
/// hangs does not outlive it by much.
pub async fn eventually<T, F>(what: &str, deadline: Duration, mut probe: F) -> T
where
    F: AsyncFnMut() -> Result<T, String>,
{
    let started = Instant::now();
    let mut last = "nothing".to_owned();
    loop {
        let began = Instant::now();
        let limit = deadline.saturating_sub(started.elapsed()).max(LOOK);
        match tokio::time::timeout(limit, probe()).await {
            Ok(Ok(found)) => return found,
            Ok(Err(seen)) => last = seen,
            Err(_) => panic!("a look took {} s: {what}; last seen: {last}", began.elapsed().as_secs()),
        }
        assert!(started.elapsed() <= deadline, "after {} s still not: {what}; last seen: {last}", deadline.as_secs());
        tokio::time::sleep(interval(started.elapsed()).max(began.elapsed() * 3)).await;
    }
}

fn interval(waited: Duration) -> Duration {
    let (least, most) = INTERVALS_MS;
    Duration::from_millis(u64::try_from((waited.as_millis() / 10).clamp(least, most)).unwrap())
}
