//! What has happened so far, counted from the changes of the table.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use spillway_limits::Change;

/// Counts of a run.
#[derive(Clone, Debug, Default)]
pub struct Counts {
    /// Payments that have succeeded.
    pub succeeded: u64,
    /// Movements that were written.
    pub movements: u64,
    /// Movements that were folded and deleted.
    pub deleted: u64,
    /// The time of the last deletion.
    pub deleted_at: Duration,
}

impl Counts {
    /// Movements that are still there.
    pub fn left(&self) -> u64 {
        self.movements - self.deleted
    }

    fn add(&mut self, change: &Change, now: Duration) {
        let (pk, sk) = (&change.key.0, &change.key.1);
        if sk == "payment" {
            let status = |item: &Option<_>| text(item, "status");
            if status(&change.after) == "succeeded" && status(&change.before) != "succeeded" {
                self.succeeded += 1;
            }
        } else if pk.contains("#movements#") {
            match (&change.before, &change.after) {
                (None, Some(_)) => self.movements += 1,
                (Some(_), None) => (self.deleted, self.deleted_at) = (self.deleted + 1, now),
                _ => {}
            }
        }
    }
}

/// Counts that a watcher of the table adds to.
#[derive(Clone, Default)]
pub struct Counter(Arc<Mutex<Counts>>);

impl Counter {
    /// Counts a change.
    pub fn add(&self, change: &Change, now: Duration) {
        self.0.lock().unwrap().add(change, now);
    }

    /// Counts prepared movements.
    pub fn prepared(&self, movements: u64) {
        self.0.lock().unwrap().movements += movements;
    }

    /// The counts so far.
    pub fn now(&self) -> Counts {
        self.0.lock().unwrap().clone()
    }
}

fn text(item: &Option<spillway_limits::Item>, name: &str) -> String {
    let value = item.as_ref().and_then(|item| item.get(name));
    value.and_then(|value| serde_json::to_value(value).ok()?["S"].as_str().map(str::to_owned)).unwrap_or_default()
}
