//! A minute of chaos: all kinds of faults under load. `make chaos MINUTES=10` runs it longer.

use std::time::Duration;

use serde_json::json;
use spillway_tests::chaos::{self, Plan};
use spillway_tests::store_proxy::{Fault, Matching};
use spillway_tests::{Options, Stack};

/// Fixed here; random in `make chaos`.
const SEED: u64 = 8;

/// Four clients with long pauses, because other tests run at the same time.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_minute_of_chaos_breaks_no_promise() {
    let plan = Plan { length: Duration::from_secs(60), seed: SEED, clients: 4, merchants: 3, pauses_ms: 200..600 };
    let report = chaos::run(&plan, |_| ()).await.unwrap();
    assert!(report.violations.is_empty(), "{}", report.text());
    assert!(
        report
            .text()
            .ends_with("Nothing was lost, doubled or unbalanced: every payment, webhook and account is right.\n")
    );
    assert!(report.payments > 20 && report.refunds > 5, "there was load: {}", report.text());
    // Each kind of fault occurred.
    for kind in [
        "function killed",
        "queues emptied",
        "whole stack killed",
        "whole stack killed, queues lost",
        "whole stack killed, stream replayed",
        "store call delayed",
        "store call failed",
        "store call held",
        "store call throttled",
        "store connection closed",
        "store reply lost",
        "store conflict feigned",
        "store write in conflict",
    ] {
        assert!(report.faults.get(kind).is_some_and(|times| *times > 0), "no {kind}: {}", report.text());
    }
}

#[tokio::test]
async fn a_stack_restarts_despite_pending_store_faults() {
    let mut stack = Stack::start(Options::new().store_proxy()).await;
    stack.store_proxy().fault(usize::MAX, Matching::all(), Fault::Close);
    stack.kill().await;
    stack.try_restart().await.unwrap();
    // The faults apply again.
    stack.try_new_merchant(&json!({})).await.unwrap_err();
}
