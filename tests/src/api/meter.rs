//! What a client measures of its requests.

use std::sync::Mutex;
use std::time::{Duration, Instant};

/// One request as it was sent, and its result.
#[derive(Debug, Clone, Copy)]
pub struct Try {
    /// When it was sent.
    pub at: Instant,
    /// Time until the answer was read, or until the connection failed.
    pub took: Duration,
    /// The answer's status; `None` without an answer.
    pub status: Option<u16>,
}

/// Every request of the clients that share it.
#[derive(Debug, Default)]
pub struct Meter(Mutex<Vec<Try>>);

impl Meter {
    /// All requests so far that have ended.
    pub fn tries(&self) -> Vec<Try> {
        self.0.lock().unwrap().clone()
    }

    pub(crate) fn note(&self, at: Instant, status: Option<u16>) {
        self.0.lock().unwrap().push(Try { at, took: at.elapsed(), status });
    }
}
