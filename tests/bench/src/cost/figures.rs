//! What payments and requests use, as a run has measured it.

use std::collections::BTreeMap;
use std::path::Path;
use std::{fs, ops};

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// The figures in the repository, for a machine without figures of its own.
const COMMITTED: &str = include_str!("../../figures.json");
/// Where they are.
const FILE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/figures.json");

/// What a function has used over some invocations.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Used {
    /// Runs.
    pub invocations: u64,
    /// Milliseconds, each run's rounded up, on the machine that measured.
    pub billed_ms: u64,
    /// Microseconds of a core, the runtime's own included.
    pub cpu_us: u64,
    /// Lines written.
    pub log_lines: u64,
    /// What is in them.
    pub log_bytes: u64,
    /// Those lines that hold metrics.
    pub metric_lines: u64,
    /// What would be in them without anything but metrics.
    pub metric_bytes: u64,
    /// Calls of the store.
    pub store_calls: u64,
    /// What these wrote.
    pub write_units: u64,
    /// What these read, in half units: a read that may be stale costs half.
    pub read_half_units: u64,
    /// Requests to the queues by the function (sends, waits) and by Lambda for it (receives, deletions).
    pub sends: u64,
    /// Receives that brought something.
    pub receives: u64,
    /// Deletions.
    pub deletes: u64,
    /// Changes of a message's visibility.
    pub waits: u64,
    /// Bytes of HTTP that it sends to the internet: answers, or webhooks.
    pub bytes_out: u64,
}

/// What so many of something have used, by function.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Measured {
    /// How many payments, requests or runs.
    pub count: u64,
    /// What each function used for all of them.
    pub functions: BTreeMap<String, Used>,
}

/// A run's figures.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Figures {
    /// How long each call of the store took at least: what AWS's takes, not this machine's.
    pub store_ms: u64,
    /// The same of the queues.
    pub queue_ms: u64,
    /// Payments that came one by one: each its own batch everywhere.
    pub alone: Measured,
    /// Payments that came together: every batch full.
    pub together: Measured,
    /// Bytes that the payments which came together have left in the table and its indexes.
    pub kept_bytes: u64,
    /// Other requests by their function, and what is asked each minute.
    pub requests: BTreeMap<String, Measured>,
}

/// Figures with where and when they were measured.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Run {
    /// Date, cores, processor, system.
    pub machine: Value,
    /// Whether it was only a look.
    #[serde(default)]
    pub quick: bool,
    /// The figures.
    pub resources: Figures,
}

impl Used {
    /// Requests to the queues.
    pub fn queue_requests(&self) -> u64 {
        self.sends + self.receives + self.deletes + self.waits
    }
}

impl ops::AddAssign for Used {
    fn add_assign(&mut self, other: Used) {
        self.invocations += other.invocations;
        self.billed_ms += other.billed_ms;
        self.cpu_us += other.cpu_us;
        self.log_lines += other.log_lines;
        self.log_bytes += other.log_bytes;
        self.metric_lines += other.metric_lines;
        self.metric_bytes += other.metric_bytes;
        self.store_calls += other.store_calls;
        self.write_units += other.write_units;
        self.read_half_units += other.read_half_units;
        self.sends += other.sends;
        self.receives += other.receives;
        self.deletes += other.deletes;
        self.waits += other.waits;
        self.bytes_out += other.bytes_out;
    }
}

impl ops::AddAssign for Measured {
    fn add_assign(&mut self, other: Measured) {
        self.count += other.count;
        for (function, used) in other.functions {
            *self.functions.entry(function).or_default() += used;
        }
    }
}

impl Measured {
    /// The sum over all functions.
    pub fn all(&self) -> Used {
        self.functions.values().fold(Used::default(), |mut sum, used| {
            sum += *used;
            sum
        })
    }
}

impl Run {
    /// The run in the repository; `Err` is a sentence.
    pub fn committed() -> Result<Run, String> {
        serde_json::from_str(COMMITTED).map_err(|error| format!("figures.json: {error}"))
    }

    /// What `make bench` has written to this file. None where there is no such file, or it lacks this part.
    pub fn of_bench(path: &Path) -> Option<Run> {
        serde_json::from_str(&fs::read_to_string(path).ok()?).ok()
    }

    /// Makes a whole run the figures of the repository; a quick run does not change them. `Err` is a sentence.
    pub fn commit(&self) -> Result<(), String> {
        if self.quick {
            return Ok(());
        }
        let text = serde_json::to_string_pretty(self).map_err(|error| error.to_string())?;
        fs::write(FILE, text + "\n").map_err(|error| format!("{FILE}: {error}"))
    }
}
