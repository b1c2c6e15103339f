//! A table with one index, and traffic at a rate.

use std::time::Duration;

use serde_json::{Value, json};
use spillway_limits::{Answer, Call, Limits, Spawner, Store, VirtualTime};

/// No limit but those that a test sets.
pub fn without_limits() -> Limits {
    let far = 1_000_000_000;
    let mut limits = Limits::warmed(far);
    (limits.partition_read_units, limits.partition_write_units) = (far, far);
    (limits.split_after, limits.index_lag, limits.has_conflicts) = (None, Duration::ZERO, false);
    limits.latency.spread_percent = 0;
    limits
}

/// A clock and a store.
pub fn world(limits: Limits) -> (VirtualTime, Store) {
    let time = VirtualTime::default();
    let store = Store::new(&table(), limits, &time, 1);
    (time, store)
}

fn table() -> Value {
    let text = |name: &str| json!({"AttributeName": name, "AttributeType": "S"});
    let schema = |pk: &str, sk: &str| json!([{"AttributeName": pk, "KeyType": "HASH"}, {"AttributeName": sk, "KeyType": "RANGE"}]);
    let attributes = ["pk", "sk", "listing", "at"].map(text);
    json!({"TableName": "items", "BillingMode": "PAY_PER_REQUEST", "KeySchema": schema("pk", "sk"),
        "AttributeDefinitions": attributes,
        "GlobalSecondaryIndexes": [{"IndexName": "listing", "KeySchema": schema("listing", "at"),
            "Projection": {"ProjectionType": "KEYS_ONLY"}}]})
}

pub fn call(operation: &str, mut body: Value) -> Call {
    if !operation.starts_with("Batch") && !operation.starts_with("Transact") {
        body["TableName"] = json!("items");
    }
    Call { operation: operation.to_owned(), body }
}

pub fn put(pk: &str, sk: &str) -> Call {
    call("PutItem", json!({"Item": {"pk": {"S": pk}, "sk": {"S": sk}}}))
}

/// A put of an item with an entry in the index.
pub fn listed(list: &str, id: &str) -> Call {
    call("PutItem", json!({"Item": {"pk": {"S": id}, "sk": {"S": id}, "listing": {"S": list}, "at": {"S": id}}}))
}

pub fn get(pk: &str, sk: &str) -> Call {
    call("GetItem", json!({"Key": {"pk": {"S": pk}, "sk": {"S": sk}}, "ConsistentRead": true}))
}

pub fn query_index(list: &str) -> Call {
    call(
        "Query",
        json!({"IndexName": "listing", "KeyConditionExpression": "listing = :l",
        "ExpressionAttributeValues": {":l": {"S": list}}}),
    )
}

pub fn is_throttled(answer: &Answer) -> bool {
    answer.body["__type"].as_str().is_some_and(|kind| kind.ends_with("#ThrottlingException"))
}

pub fn reason(answer: &Answer) -> &str {
    answer.body["throttlingReasons"][0]["reason"].as_str().unwrap_or_default()
}

/// Makes `per_s` calls a second for some seconds, evenly. Returns how many were executed in each second.
pub fn executed_each_second(
    time: &VirtualTime, store: &Store, per_s: u32, seconds: u32, make: impl Fn(u32) -> Call + 'static,
) -> Vec<u32> {
    let counts = std::rc::Rc::new(std::cell::RefCell::new(vec![0; usize::try_from(seconds).unwrap()]));
    let (of_run, began) = (counts.clone(), time.now());
    time.run(|spawner: Spawner| async move {
        for number in 0..per_s * seconds {
            time.wait_until(began + Duration::from_secs(1) * number / per_s).await;
            let (store, counts, call) = (store.clone(), of_run.clone(), make(number));
            spawner.spawn(async move {
                if store.call(call).await.is_ok() {
                    counts.borrow_mut()[usize::try_from(number / per_s).unwrap()] += 1;
                }
            });
        }
        time.wait(Duration::from_secs(1)).await;
    });
    counts.take()
}

/// Uses the units of a partition with one write unit a second: one, and one more into debt.
pub async fn exhaust(store: &Store, pk: &str) {
    assert!(store.call(put(pk, "1")).await.is_ok());
    assert!(store.call(put(pk, "1")).await.is_ok());
}
