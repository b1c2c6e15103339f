//! The CPU share of a function.
//!
//! "At 1,769 MB, a function has the equivalent of one vCPU" and CPU is "in proportion to the amount of memory":
//! <https://docs.aws.amazon.com/lambda/latest/dg/configuration-memory.html>. So each call of a store costs an environment
//! the CPU time that was measured for it, divided by its share, one after another.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use spillway_limits::VirtualTime;

/// The memory at which a function has one vCPU.
const ONE_VCPU_MB: u64 = 1_769;
/// CPU time of one call with what a function does around it, without TLS: `cpu_us` ÷ `store_calls` of call-processor, 500
/// payments together, in tests/bench/figures.json.
const PER_CALL_US: u64 = 265;
/// CPU time to read one KB of an answer: what fold-balance needs beyond its calls, ÷ the KB that it reads, in the same run.
const PER_KB_US: u64 = 28;

/// The CPU of one environment.
#[derive(Clone)]
pub struct Cpu {
    time: VirtualTime,
    memory_mb: u64,
    busy_until: Arc<Mutex<Duration>>,
}

impl Cpu {
    /// The CPU of an environment with this memory.
    pub fn new(time: &VirtualTime, memory_mb: u64) -> Cpu {
        Cpu { time: time.clone(), memory_mb, busy_until: Arc::default() }
    }

    /// Waits until the environment has worked on an answer of this length.
    pub async fn work(&self, answer_bytes: usize) {
        let work_us = PER_CALL_US + PER_KB_US * u64::try_from(answer_bytes).unwrap() / 1024;
        let share_mb = self.memory_mb.min(ONE_VCPU_MB);
        let done = {
            let mut busy_until = self.busy_until.lock().unwrap();
            *busy_until = self.time.now().max(*busy_until) + Duration::from_micros(work_us * ONE_VCPU_MB / share_mb);
            *busy_until
        };
        self.time.wait_until(done).await;
    }
}
