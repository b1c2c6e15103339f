//! The CPU share of a function.
//!
//! "At 1,769 MB, a function has the equivalent of one vCPU" and CPU is "in proportion to the amount of memory":
//! <https://docs.aws.amazon.com/lambda/latest/dg/configuration-memory.html>. So each call of a store costs an environment
//! the CPU time that was measured for it, divided by its share, one after another. More than one vCPU helps only a function
//! whose program uses several.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use spillway_limits::VirtualTime;

/// The memory at which a function has one vCPU.
const ONE_VCPU_MB: u64 = 1_769;
/// CPU time of one call with what a function does around it, without TLS: `cpu_us` ÷ `store_calls` of call-processor, 500
/// payments together, in tests/bench/figures.json.
const PER_CALL_US: u64 = 265;
/// The same for a function that uses all cores: the sweep's CPU time of an item ÷ its calls, `PARTS=sweep make bench`.
const PER_CALL_OF_MANY_US: u64 = 115;
/// CPU time to read one KB of an answer: what fold-balance needs beyond its calls, ÷ the KB that it reads, in the same run.
const PER_KB_US: u64 = 28;

/// The CPU of one environment.
#[derive(Clone)]
pub struct Cpu {
    time: VirtualTime,
    share_mb: u64,
    per_call_us: u64,
    busy_until: Arc<Mutex<Duration>>,
}

impl Cpu {
    /// The CPU of an environment with this memory.
    pub fn new(time: &VirtualTime, memory_mb: u64, uses_all_cores: bool) -> Cpu {
        let (share_mb, per_call_us) = match uses_all_cores {
            true => (memory_mb, PER_CALL_OF_MANY_US),
            false => (memory_mb.min(ONE_VCPU_MB), PER_CALL_US),
        };
        Cpu { time: time.clone(), share_mb, per_call_us, busy_until: Arc::default() }
    }

    /// Waits until the environment has worked on an answer of this length.
    pub async fn work(&self, answer_bytes: usize) {
        let work_us = self.per_call_us + PER_KB_US * u64::try_from(answer_bytes).unwrap() / 1024;
        let done = {
            let mut busy_until = self.busy_until.lock().unwrap();
            *busy_until =
                self.time.now().max(*busy_until) + Duration::from_micros(work_us * ONE_VCPU_MB / self.share_mb);
            *busy_until
        };
        self.time.wait_until(done).await;
    }
}
