//! The machine on which figures were measured.

use std::fs;

use serde_json::{Value, json};
use time::OffsetDateTime;

/// The machine and the date.
pub fn machine() -> Value {
    let read = |path: &str| fs::read_to_string(path).unwrap_or_default();
    let cpus = read("/proc/cpuinfo");
    let model = cpus.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": "));
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let kernel = read("/proc/sys/kernel/osrelease");
    json!({"date": OffsetDateTime::now_utc().date().to_string(), "cores": cores,
        "cpu": model.map_or("unknown", |(_, model)| model), "system": format!("Linux {}", kernel.trim())})
}

/// The machine in a sentence.
pub fn sentence(machine: &Value) -> String {
    let text = |name: &str| machine[name].as_str().unwrap_or_default();
    format!("{}, {} cores ({}), {}.", text("date"), machine["cores"], text("cpu"), text("system"))
}
