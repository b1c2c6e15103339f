//! The throughput of a whole table.

use std::time::Duration;

use futures::future::join_all;
use serde_json::json;
use spillway_limits::Limits;

use crate::world::{call, executed_each_second, get, put, reason, without_limits, world};

/// "A new on-demand table starts with a warm throughput of 12,000 read units per second and 4,000 write units per second"
/// <https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/warm-throughput-scenarios.html>
#[test]
fn a_new_table_takes_4000_writes_and_12000_reads_a_second() {
    let (time, store) = world(Limits { warm_write_units: 4_000, warm_read_units: 12_000, ..without_limits() });
    let done = executed_each_second(&time, &store, 6_000, 3, |number| put(&number.to_string(), "1"));
    assert!((3_990..=4_010).contains(&done[2]), "{done:?}");
    let done = executed_each_second(&time, &store, 25_000, 3, |number| get(&number.to_string(), "1"));
    assert!((11_990..=12_010).contains(&done[2]), "{done:?}");
}

/// "on-demand tables can scale to double the previous peak within 30 minutes"
/// <https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/warm-throughput.html>
#[test]
fn half_an_hour_after_a_peak_the_table_takes_twice_the_peak() {
    let (time, store) = world(Limits { warm_write_units: 100, ..without_limits() });
    let writes = |number: u32| put(&number.to_string(), "1");
    assert_eq!(executed_each_second(&time, &store, 100, 2, writes), [100, 100]);
    time.run(|_| time.wait(Duration::from_secs(31 * 60)));
    let done = executed_each_second(&time, &store, 400, 3, writes);
    assert!((195..=205).contains(&done[2]), "{done:?}");
}

/// "per-table account limits serve as adjustable safeguards", 40,000 units by default
/// <https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/throttling-account-limit-exceeded-mitigation.html>
#[test]
fn the_quota_counts_the_table_with_its_indexes() {
    let (time, store) = world(Limits { table_write_quota: Some(300), ..without_limits() });
    // An item and its entry in the index: two units.
    let done = executed_each_second(&time, &store, 400, 3, |number| crate::world::listed("l", &number.to_string()));
    assert!((145..=155).contains(&done[2]), "{done:?}");
    let answers = time.run(|_| async {
        time.wait(Duration::from_secs(2)).await;
        join_all((0..301).map(|number| store.call(put(&number.to_string(), "another")))).await
    });
    let refused: Vec<_> = answers.iter().filter(|answer| !answer.is_ok()).map(reason).collect();
    assert_eq!(refused, ["TableWriteAccountLimitExceeded"]);
}

/// "If a ConditionExpression evaluates to false during a conditional write, DynamoDB still consumes write capacity"
/// <https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/WorkingWithItems.html>
#[test]
fn a_failed_condition_uses_units() {
    let (time, store) = world(without_limits());
    let mut again = put("a", "1");
    again.body["ConditionExpression"] = json!("attribute_not_exists(pk)");
    time.run(|_| async {
        assert!(store.call(again.clone()).await.is_ok());
        assert_eq!(store.written_halves(), 2);
        assert!(!store.call(again).await.is_ok());
    });
    assert_eq!(store.written_halves(), 4);
}

/// "two write request units to perform transactional writes for items up to 1 KB"
/// <https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/on-demand-capacity-mode.html>
#[test]
fn a_transaction_uses_two_units_for_each_item() {
    let (time, store) = world(without_limits());
    let item = |pk: &str| json!({"Put": {"TableName": "items", "Item": {"pk": {"S": pk}, "sk": {"S": "1"}}}});
    let both = call("TransactWriteItems", json!({"TransactItems": [item("a"), item("b")]}));
    assert!(time.run(|_| store.call(both)).is_ok());
    assert_eq!(store.written_halves(), 8);
}
