//! Indexes.

use std::time::Duration;

use serde_json::json;
use spillway_limits::Limits;

use crate::world::{call, executed_each_second, listed, query_index, without_limits, world};

/// "If a GSI doesn't have sufficient capacity to handle these updates, DynamoDB throttles writes to the base table"
/// <https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/gsi-throttling.html>
#[test]
fn a_hot_key_of_an_index_throttles_writes_of_the_table() {
    let (time, store) = world(Limits { partition_write_units: 1_000, ..without_limits() });
    let done = executed_each_second(&time, &store, 1_500, 3, |number| listed("hot", &format!("{number:05}")));
    assert!((990..=1_010).contains(&done[2]), "{done:?}");
    let refused = store.take_refusals();
    assert_eq!(
        refused.keys().map(|limit| limit.reason()).collect::<Vec<_>>(),
        ["IndexWriteKeyRangeThroughputExceeded"]
    );
}

/// A changed sort key moves the entry: one unit to delete it and one to put it again.
/// "the first to delete the previous … and another write to put the new" in
/// <https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/GSI.html>
#[test]
fn an_update_that_moves_an_entry_is_refused_at_the_entrys_key() {
    let (time, store) = world(Limits { partition_write_units: 1_000, ..without_limits() });
    for number in 0..1_000 {
        store.prepare(&listed("hot", &number.to_string()));
    }
    let done = executed_each_second(&time, &store, 1_000, 3, |number| {
        let id = (number % 1_000).to_string();
        call(
            "UpdateItem",
            json!({"Key": {"pk": {"S": id}, "sk": {"S": id}}, "UpdateExpression": "SET #0 = :0",
            "ExpressionAttributeNames": {"#0": "at"}, "ExpressionAttributeValues": {":0": {"S": format!("moved {number}")}}}),
        )
    });
    assert!((495..=505).contains(&done[2]), "{done:?}");
}

/// "eventually consistent": "propagated to the global secondary indexes within a fraction of a second, under normal
/// conditions" <https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/GSI.html>
#[test]
fn an_index_shows_a_change_later_than_the_table() {
    let (time, store) = world(Limits { index_lag: Duration::from_secs(1), ..without_limits() });
    let ids = |answer: &spillway_limits::Answer| answer.body["Count"].as_u64().unwrap();
    time.run(|_| async {
        assert!(store.call(listed("l", "1")).await.is_ok());
        assert_eq!(ids(&store.call(query_index("l")).await), 0);
        time.wait(Duration::from_secs(1)).await;
        assert_eq!(ids(&store.call(query_index("l")).await), 1);
        // A deleted item is still listed for as long.
        let deletion = call("DeleteItem", json!({"Key": {"pk": {"S": "1"}, "sk": {"S": "1"}}}));
        assert!(store.call(deletion).await.is_ok());
        assert_eq!(ids(&store.call(query_index("l")).await), 1);
        time.wait(Duration::from_secs(1)).await;
        assert_eq!(ids(&store.call(query_index("l")).await), 0);
    });
}
