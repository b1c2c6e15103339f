//! The throughput of a whole table or index: what it is warmed for, and its growth to twice the last peak.

use std::time::Duration;

use crate::bucket::Bucket;

/// Units a second for reads or for writes.
#[derive(Debug)]
pub struct Throughput {
    level: u64,
    bucket: Bucket,
    doubles_after: Duration,
    /// The second that is being counted, and its half units.
    second: (u64, u64),
    /// The start of the present window and the most units of one second in it.
    window: (Duration, u64),
}

impl Throughput {
    pub fn new(warm_units: u64, doubles_after: Duration, now: Duration) -> Throughput {
        let bucket = Bucket::new(warm_units, now);
        Throughput { level: warm_units, bucket, doubles_after, second: (0, 0), window: (now, 0) }
    }

    pub fn has_units(&mut self, now: Duration) -> bool {
        self.grow(now);
        self.bucket.has_units(now)
    }

    pub fn take(&mut self, halves: u64, now: Duration) {
        self.grow(now);
        self.bucket.take(halves, now);
        if self.second.0 != now.as_secs() {
            self.second = (now.as_secs(), 0);
        }
        self.second.1 += halves;
        self.window.1 = self.window.1.max(self.second.1 / 2);
    }

    /// After each window the table is scaled for twice the peak of the window.
    fn grow(&mut self, now: Duration) {
        if now - self.window.0 < self.doubles_after {
            return;
        }
        let peak = self.window.1;
        self.window = (now, 0);
        if 2 * peak > self.level {
            self.level = 2 * peak;
            self.bucket.set_rate(self.level);
        }
    }
}
