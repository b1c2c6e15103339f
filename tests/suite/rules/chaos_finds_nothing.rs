//! A minute in which everything that can go wrong does, under load. `make chaos MINUTES=10` is the same for longer.

use std::time::Duration;

use spillway_tests::chaos::{self, Plan};

/// Of the payments and the order of the faults: the same in each run, and any in `make chaos`.
const SEED: u64 = 8;

/// Four clients with long pauses: other tests run at the same time.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_minute_of_chaos_loses_doubles_and_unbalances_nothing() {
    let plan = Plan { length: Duration::from_secs(60), seed: SEED, clients: 4, merchants: 3, pauses_ms: 200..600 };
    let report = chaos::run(&plan, |_| ()).await.unwrap();
    assert!(report.violations.is_empty(), "{}", report.text());
    assert!(report.payments > 20, "there was load: {}", report.text());
    // Each kind of fault happened.
    for kind in [
        "function killed",
        "queues emptied",
        "runner killed",
        "runner killed, queues lost",
        "runner killed, stream replayed",
        "store call delayed",
        "store call failed",
        "store call held",
        "store call throttled",
        "store connection closed",
        "store reply lost",
        "store write in conflict",
    ] {
        assert!(report.faults.get(kind).is_some_and(|times| *times > 0), "no {kind}: {}", report.text());
    }
}
