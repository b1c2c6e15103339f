//! "Transaction conflicts can occur during concurrent item-level requests on an item within a transaction"
//! <https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/transaction-apis.html>

use futures::future::{join, join3};
use serde_json::json;
use spillway_limits::{Answer, Call, Limits};

use crate::world::{call, put, without_limits, world};

fn transaction(token: &str, pks: &[&str]) -> Call {
    let item = |pk: &&str| json!({"Put": {"TableName": "items", "Item": {"pk": {"S": pk}, "sk": {"S": "1"}}}});
    let items: Vec<_> = pks.iter().map(item).collect();
    call("TransactWriteItems", json!({"TransactItems": items, "ClientRequestToken": token}))
}

fn conflicting() -> Limits {
    Limits { has_conflicts: true, ..without_limits() }
}

fn kind(answer: &Answer) -> &str {
    answer.body["__type"].as_str().unwrap_or_default().rsplit('#').next().unwrap_or_default()
}

#[test]
fn a_transaction_beside_another_is_canceled_with_the_place() {
    let (time, store) = world(conflicting());
    let (first, second) =
        time.run(|_| join(store.call(transaction("1", &["a", "b"])), store.call(transaction("2", &["c", "b"]))));
    assert!(first.is_ok());
    assert_eq!(kind(&second), "TransactionCanceledException");
    let codes: Vec<_> = second.body["CancellationReasons"].as_array().unwrap().iter().map(|r| &r["Code"]).collect();
    assert_eq!(codes, ["None", "TransactionConflict"]);
}

#[test]
fn a_plain_write_beside_a_transaction_is_refused() {
    let (time, store) = world(conflicting());
    let (first, second) = time.run(|_| join(store.call(transaction("1", &["a"])), store.call(put("a", "1"))));
    assert!(first.is_ok());
    assert_eq!(kind(&second), "TransactionConflictException");
}

#[test]
fn plain_writes_of_one_item_wait_for_each_other() {
    let (time, store) = world(conflicting());
    let (a, b, c) =
        time.run(|_| join3(store.call(put("a", "1")), store.call(put("a", "1")), store.call(put("a", "1"))));
    assert!(a.is_ok() && b.is_ok() && c.is_ok());
    assert_eq!(time.now(), 3 * Limits::new_table().latency.write);
}

#[test]
fn the_same_transaction_beside_itself_is_in_progress() {
    let (time, store) = world(conflicting());
    let same = || store.call(transaction("1", &["a"]));
    let (first, second) = time.run(|_| join(same(), same()));
    assert!(first.is_ok());
    assert_eq!(kind(&second), "TransactionInProgressException");
}
