//! Measured resources of payments and requests.

use std::collections::BTreeMap;
use std::path::Path;
use std::{fs, ops};

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// The figures in the repository, used on a machine without its own.
const COMMITTED: &str = include_str!("../../figures.json");
/// Path of the figures in the repository.
const FILE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/figures.json");

/// Resources that a function used in some invocations.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Used {
    /// Runs.
    pub invocations: u64,
    /// Milliseconds, each invocation rounded up, on the measuring machine.
    pub billed_ms: u64,
    /// Microseconds of CPU, including the runtime.
    pub cpu_us: u64,
    /// Log lines.
    pub log_lines: u64,
    /// Bytes of the log lines.
    pub log_bytes: u64,
    /// Log lines with metrics.
    pub metric_lines: u64,
    /// Bytes of the metrics alone in these lines.
    pub metric_bytes: u64,
    /// Store calls.
    pub store_calls: u64,
    /// Write units of these calls.
    pub write_units: u64,
    /// Read units of these calls, in halves: an eventually consistent read costs half a unit.
    pub read_half_units: u64,
    /// Requests to the queues: sends and visibility changes by the function, receives and deletes by Lambda for it.
    pub sends: u64,
    /// Receives that returned messages.
    pub receives: u64,
    /// Deletions.
    pub deletes: u64,
    /// Changes of message visibility.
    pub waits: u64,
    /// Bytes of HTTP sent to the internet: answers or webhooks.
    pub bytes_out: u64,
}

/// Resources of some payments, requests or runs, by function.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Measured {
    /// Number of payments, requests or runs.
    pub count: u64,
    /// Resources of each function for all of them.
    pub functions: BTreeMap<String, Used>,
}

/// A run's figures.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Figures {
    /// Minimal duration of each store call in ms: AWS's, not this machine's.
    pub store_ms: u64,
    /// The same for the queues.
    pub queue_ms: u64,
    /// Payments one by one: each is its own batch.
    pub alone: Measured,
    /// Payments together: every batch is full.
    pub together: Measured,
    /// Bytes that the payments together left in the table and its indexes for ever.
    pub kept_bytes: u64,
    /// Bytes that they left until the items expire: events and deliveries.
    #[serde(default)]
    pub expiring_bytes: u64,
    /// Other requests by function, and what runs every minute.
    pub requests: BTreeMap<String, Measured>,
}

/// Figures with the time and place of their measurement.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Run {
    /// Date, cores, processor, system.
    pub machine: Value,
    /// Whether it was a quick run.
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

    /// The run that `make bench` wrote to this file; `None` if there is no such file or it lacks this part.
    pub fn of_bench(path: &Path) -> Option<Run> {
        serde_json::from_str(&fs::read_to_string(path).ok()?).ok()
    }

    /// Saves a full run as the figures of the repository; a quick run changes nothing. `Err` is a sentence.
    pub fn commit(&self) -> Result<(), String> {
        if self.quick {
            return Ok(());
        }
        let text = serde_json::to_string_pretty(self).map_err(|error| error.to_string())?;
        fs::write(FILE, text + "\n").map_err(|error| format!("{FILE}: {error}"))
    }
}
