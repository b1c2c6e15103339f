//! The time, passed in, so that tests need not wait for it.

use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

/// Gives the time in milliseconds since 1970, UTC.
pub type Clock = Arc<dyn Fn() -> i64 + Send + Sync>;

/// The machine's clock.
#[must_use]
pub fn system() -> Clock {
    Arc::new(|| {
        let since = SystemTime::now().duration_since(UNIX_EPOCH);
        since.map_or(0, |since| i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
    })
}
