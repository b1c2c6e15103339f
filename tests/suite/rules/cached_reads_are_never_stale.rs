//! Reads through the cache show all that was acknowledged before, whatever happens to the cache. `make stale` runs this
//! longer.

use spillway_tests::stale::{self, Plan};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_read_through_the_cache_is_stale() {
    let report = stale::run(Plan { reads: 4_000, clients: 4, seed: 20 }, |_| ()).await.unwrap();
    assert!(report.found.is_empty(), "{}", report.text());
    assert!(report.hits > 100 && report.writes > 50, "{}", report.text());
    assert_eq!(report.faults.len(), 8, "{}", report.text());
}
