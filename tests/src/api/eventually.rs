//! Waiting: polls a condition until a deadline.

use std::time::{Duration, Instant};

/// Bounds of the interval between polls: a tenth of the time waited so far, and at least three times the last poll's
/// duration, so that polling adds little load.
const INTERVALS_MS: (u128, u128) = (10, 500);

/// How long a test waits for an expected result: far longer than it takes, for slow machines.
pub struct Deadline;

impl Deadline {
    /// For results within a second.
    pub const SOON: Duration = Duration::from_secs(30);
    /// For hundreds of payments, or several rounds of waits.
    pub const LATER: Duration = Duration::from_secs(120);
    /// For thousands of payments.
    pub const MUCH: Duration = Duration::from_secs(270);
}

/// Minimal time limit of a single poll.
const LOOK: Duration = Duration::from_secs(20);

/// Polls `probe` until it returns `Ok`, and returns that. After `deadline` the test fails with the last `Err`, also if
/// a poll hangs.
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
