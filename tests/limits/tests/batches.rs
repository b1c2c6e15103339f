//! "If none of the items can be processed due to insufficient provisioned throughput …, then BatchWriteItem returns a
//! ProvisionedThroughputExceededException"; what is left of others is in `UnprocessedItems`
//! <https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_BatchWriteItem.html>

use serde_json::json;
use spillway_limits::{Call, Limits};

use crate::world::{call, exhaust, put, without_limits, world};

fn batch(pks: &[&str]) -> Call {
    let requests: Vec<_> =
        pks.iter().map(|pk| json!({"PutRequest": {"Item": {"pk": {"S": pk}, "sk": {"S": "2"}}}})).collect();
    call("BatchWriteItem", json!({"RequestItems": {"items": requests}}))
}

#[test]
fn a_batch_leaves_writes_of_a_hot_key_unprocessed() {
    let (time, store) = world(Limits { partition_write_units: 1, ..without_limits() });
    time.run(|_| async {
        exhaust(&store, "hot").await;
        let answer = store.call(batch(&["cold", "hot"])).await;
        assert!(answer.is_ok(), "{}", answer.body);
        let left = &answer.body["UnprocessedItems"]["items"];
        assert_eq!(left, &json!([{"PutRequest": {"Item": {"pk": {"S": "hot"}, "sk": {"S": "2"}}}}]));
        assert!(!store.call(batch(&["hot"])).await.is_ok());
    });
}

#[test]
fn a_batch_leaves_reads_of_a_hot_key_unprocessed() {
    let (time, store) = world(Limits { partition_read_units: 1, ..without_limits() });
    let key = |pk: &str| json!({"pk": {"S": pk}, "sk": {"S": "1"}});
    store.prepare(&put("hot", "1"));
    store.prepare(&put("cold", "1"));
    time.run(|_| async {
        for _ in 0..2 {
            assert!(store.call(crate::world::get("hot", "1")).await.is_ok());
        }
        let keys = json!({"items": {"ConsistentRead": true, "Keys": [key("hot"), key("cold")]}});
        let answer = store.call(call("BatchGetItem", json!({"RequestItems": keys}))).await;
        assert_eq!(answer.body["UnprocessedKeys"]["items"]["Keys"], json!([key("hot")]));
        assert_eq!(answer.body["Responses"]["items"], json!([key("cold")]));
    });
}

#[test]
fn a_transaction_with_a_hot_key_is_canceled_with_the_place() {
    let (time, store) = world(Limits { partition_write_units: 1, ..without_limits() });
    let item = |pk: &str| json!({"Put": {"TableName": "items", "Item": {"pk": {"S": pk}, "sk": {"S": "2"}}}});
    time.run(|_| async {
        exhaust(&store, "hot").await;
        let both = call("TransactWriteItems", json!({"TransactItems": [item("cold"), item("hot")]}));
        let answer = store.call(both).await;
        assert_eq!(answer.body["CancellationReasons"], json!([{"Code": "None"}, {"Code": "ThrottlingError"}]));
    });
}
