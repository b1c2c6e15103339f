//! The short form of `make capacity`: its parts run, and what they measure is right for small loads.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::time::Duration;

use spillway_capacity::report::first_limit;
use spillway_capacity::scenarios::payments::{self, Load};
use spillway_capacity::scenarios::{balance, folds, lists, patience, sweep};
use spillway_capacity::template::Template;
use spillway_limits::Limits;

fn warm() -> Limits {
    Limits::warmed(1_000_000)
}

#[test]
fn a_small_load_is_carried_without_a_refusal() {
    let load = Load { merchants: 2, shards: 4, per_s: 50, seconds: 1 };
    let outcome = payments::run(Template::read(), Limits::new_table(), &load);
    assert_eq!((outcome.accepted, outcome.refused, outcome.succeeded), (50, 0, 50), "{outcome:?}");
    assert!(outcome.holds(&load) && outcome.refusals.is_empty(), "{outcome:?}");
}

/// A shard takes 1,000 write units a second, and a payment in a transaction writes two into each partition of its shard. So
/// four shards take less than 2,000 payments a second, whatever else they do.
#[test]
fn the_shards_of_one_merchant_break_first_on_a_warm_table() {
    let load = Load { merchants: 1, shards: 4, per_s: 3_000, seconds: 1 };
    let outcome = payments::run(Template::read(), warm(), &load);
    assert!(!outcome.refusals.is_empty(), "{outcome:?}");
    assert!(first_limit(&outcome.refusals).contains("#s"), "{}", first_limit(&outcome.refusals));
}

/// A new table takes 4,000 write units a second. A payment writes three units at once, and more than ten after them.
#[test]
fn a_new_table_breaks_first_for_many_merchants() {
    let load = Load { merchants: 50, shards: 4, per_s: 700, seconds: 2 };
    let outcome = payments::run(Template::read(), Limits::new_table(), &load);
    assert_eq!(first_limit(&outcome.refusals), "the table's warm throughput");
}

#[test]
fn the_other_parts_measure_something() {
    assert!(folds::per_s(Template::read(), warm(), 4, 1_000) > 0);
    let (status, took) = balance::read(Template::read(), warm(), 4, 500);
    assert!(status == 200 && took < Duration::from_secs(2), "{status} {took:?}");
    // A sweep begins with a thousand a second.
    let swept = sweep::per_minute(Template::read(), warm(), 2_000);
    assert!((60_000..120_000).contains(&swept), "{swept}");
    assert!(sweep::neighbour_late(Template::read(), warm(), 500) < Duration::from_secs(120));
    assert!(lists::dearest_page_halves(Template::read(), warm()) > 0);
    assert!(patience::survived(&Template::read(), &warm()) > Duration::from_secs(10));
}
