//! An index that is behind the table: a second table gets each change later, and queries of indexes read from it.

use std::collections::VecDeque;
use std::time::Duration;

use serde_json::Value;

use crate::database::{Change, Database};

pub struct Lag {
    lag: Duration,
    behind: Database,
    waiting: VecDeque<(Duration, Change)>,
}

impl Lag {
    pub fn new(create: &Value, lag: Duration) -> Lag {
        Lag { lag, behind: Database::new(create), waiting: VecDeque::new() }
    }

    /// Shows a change later, or at once if it has no time.
    pub fn changed(&mut self, change: &Change, at: Option<Duration>) {
        match at {
            Some(at) => self.waiting.push_back((at + self.lag, change.clone())),
            None => self.behind.set(change),
        }
    }

    /// The table as the indexes show it at this time.
    pub fn shown(&mut self, now: Duration) -> &Database {
        while self.waiting.front().is_some_and(|(at, _)| *at <= now) {
            if let Some((_, change)) = self.waiting.pop_front() {
                self.behind.set(&change);
            }
        }
        &self.behind
    }
}
