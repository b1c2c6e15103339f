//! Faults of the cache, one after the other while clients read.

use std::collections::BTreeMap;

use super::{READS_BETWEEN, READS_IN_FAULT, Run};
use crate::api::eventually::{Deadline, eventually};
use crate::cache::Cache;

/// All kinds, in the order in which they are injected.
const FAULTS: [Fault; 8] = [
    Fault::Killed,
    Fault::Emptied,
    Fault::Stopped,
    Fault::Paused,
    Fault::Full,
    Fault::Evicting,
    Fault::Truncated,
    Fault::Exchanged,
];

#[derive(Debug, Clone, Copy)]
enum Fault {
    Killed,
    Emptied,
    Stopped,
    /// Answers after some time.
    Paused,
    /// Refuses new values.
    Full,
    /// Loses values at random.
    Evicting,
    Truncated,
    /// Each value is at the key of another.
    Exchanged,
}

/// Injects each kind of fault at least once, then again until `run` has made its reads. Returns how often each was
/// injected, with the hits of servers that were killed.
pub(super) async fn inject(run: &Run, cache: &mut Cache) -> (BTreeMap<String, u64>, u64) {
    let (mut injected, mut hits) = (BTreeMap::new(), 0);
    let mut faults = FAULTS.iter().cycle();
    while injected.len() < FAULTS.len() || !run.has_read_all() {
        let Some(fault) = faults.next() else { break };
        is_used(cache).await;
        run.reads_on(READS_BETWEEN).await;
        if matches!(fault, Fault::Killed) {
            hits += cache.hits().await;
        }
        fault.begin(cache).await;
        run.reads_on(READS_IN_FAULT).await;
        fault.end(cache).await;
        *injected.entry(format!("{fault:?}").to_lowercase()).or_default() += 1;
    }
    is_used(cache).await;
    (injected, hits + cache.hits().await)
}

/// Waits until functions get values from the cache: they leave it alone for some seconds after a failure.
async fn is_used(cache: &Cache) {
    let before = cache.hits().await;
    eventually("the cache is used", Deadline::LATER, async || {
        let hits = cache.hits().await;
        if hits > before { Ok(()) } else { Err(format!("{hits} hits")) }
    })
    .await;
}

impl Fault {
    async fn begin(self, cache: &mut Cache) {
        match self {
            Fault::Killed => cache.kill(),
            Fault::Emptied => drop(cache.command("FLUSHALL").await),
            Fault::Stopped => cache.stop(),
            Fault::Paused => cache.pause().await,
            Fault::Full => drop(cache.command("CONFIG SET maxmemory 1").await),
            Fault::Evicting => {
                let used = cache.command("CONFIG SET maxmemory 1200kb maxmemory-policy allkeys-random").await;
                assert!(used.starts_with("+OK"), "{used}");
            }
            Fault::Truncated => {
                let each = "for _, k in ipairs(redis.call('KEYS', '*')) do";
                cache.script(&format!("{each} redis.call('SET', k, redis.call('GETRANGE', k, 0, 99)) end")).await;
            }
            Fault::Exchanged => {
                let swap = "redis.call('SET', a, redis.call('GET', b)) a = b";
                cache
                    .script(&format!(
                        "local a for _, b in ipairs(redis.call('KEYS', '*')) do if a then {swap} else a = b end end"
                    ))
                    .await;
            }
        }
    }

    async fn end(self, cache: &mut Cache) {
        match self {
            Fault::Killed => cache.restart().await,
            Fault::Stopped => cache.go_on(),
            Fault::Full | Fault::Evicting => {
                drop(cache.command("CONFIG SET maxmemory 0 maxmemory-policy noeviction").await);
            }
            Fault::Emptied | Fault::Paused | Fault::Truncated | Fault::Exchanged => {}
        }
    }
}
