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
}

/// Asks `probe` until it answers `Ok`, and gives that. Past `deadline` the test fails with the last `Err`.
pub async fn eventually<T, F>(what: &str, deadline: Duration, mut probe: F) -> T
where
    F: AsyncFnMut() -> Result<T, String>,
{
    let started = Instant::now();
    loop {
        let began = Instant::now();
        match probe().await {
            Ok(found) => return found,
            Err(last) if started.elapsed() > deadline => {
                panic!("after {} s still not: {what}; last seen: {last}", deadline.as_secs())
            }
            Err(_) => tokio::time::sleep(interval(started.elapsed()).max(began.elapsed() * 3)).await,
        }
    }
}

fn interval(waited: Duration) -> Duration {
    let (least, most) = INTERVALS_MS;
    Duration::from_millis(u64::try_from((waited.as_millis() / 10).clamp(least, most)).unwrap())
}
