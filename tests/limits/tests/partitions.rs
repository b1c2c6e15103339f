//! "each individual partition is limited to 1,000 write units per second and 3,000 read units per second"
//! <https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/warm-throughput-scenarios.html>

use std::time::Duration;

use spillway_limits::{Limits, Space};

use crate::world::{executed_each_second, exhaust, get, is_throttled, put, reason, without_limits, world};

fn partitions_only() -> Limits {
    Limits { partition_read_units: 3_000, partition_write_units: 1_000, ..without_limits() }
}

#[test]
fn one_key_takes_1000_write_units_a_second() {
    let (time, store) = world(partitions_only());
    let done = executed_each_second(&time, &store, 2_000, 4, |number| put("hot", &number.to_string()));
    // The bucket holds the units of one second, which the first second uses too.
    assert!((1_990..=2_000).contains(&done[0]), "{done:?}");
    assert!(done[1..].iter().all(|done| (995..=1_005).contains(done)), "{done:?}");
    // A second key has its own partition.
    let done = executed_each_second(&time, &store, 1_000, 1, |number| put("other", &number.to_string()));
    assert_eq!(done, [1_000]);
}

#[test]
fn one_key_takes_3000_strong_reads_a_second() {
    let (time, store) = world(partitions_only());
    let done = executed_each_second(&time, &store, 5_000, 3, |_| get("hot", "1"));
    assert!((2_990..=3_010).contains(&done[2]), "{done:?}");
}

#[test]
fn a_refusal_names_the_key_range() {
    let (time, store) = world(Limits { partition_write_units: 1, ..without_limits() });
    let answer = time.run(|_| async {
        exhaust(&store, "hot").await;
        store.call(put("hot", "2")).await
    });
    assert!(is_throttled(&answer));
    assert_eq!(reason(&answer), "TableWriteKeyRangeThroughputExceeded");
    let refusals = store.take_refusals();
    assert_eq!(refusals.keys().map(|limit| limit.partition()).collect::<Vec<_>>(), [Some("hot")]);
}

/// "DynamoDB often adapts to hot partitions through its automatic split-for-heat mechanism"
/// <https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/throttling-key-range-limit-exceeded-mitigation.html>
#[test]
fn a_hot_key_with_spread_sort_keys_is_split() {
    let limits = Limits { split_after: Some(Duration::from_secs(5)), ..partitions_only() };
    let (time, store) = world(limits);
    // 7,919 is prime, so the sort keys are spread over all numbers of four digits.
    let spread = |number: u32| put("hot", &format!("{:04}", number * 7_919 % 10_000));
    let done = executed_each_second(&time, &store, 1_800, 12, spread);
    assert!(done[4] < 1_010, "{done:?}");
    assert!(done[11] > 1_700, "{done:?}");
    assert_eq!(store.write_partitions(&Space::Table, "hot"), 2);
}

/// Sort keys that grow with time all fall into the upper half, so a split brings them nothing. AWS's posts on split for
/// heat say so of ever-increasing sort keys:
/// <https://aws.amazon.com/blogs/database/part-3-scaling-dynamodb-how-partitions-hot-keys-and-split-for-heat-impact-performance/>
#[test]
fn a_hot_key_with_growing_sort_keys_gains_nothing_by_a_split() {
    let limits = Limits { split_after: Some(Duration::from_secs(5)), ..partitions_only() };
    let (time, store) = world(limits);
    let done = executed_each_second(&time, &store, 1_800, 12, |number| put("hot", &format!("{number:06}")));
    // A fresh partition begins with a full second of units. So at most one second in six has more.
    let late: u32 = done[6..].iter().sum();
    assert!(late <= 6 * 1_000 + 1_010, "{done:?}");
}
