//! The store proxy lets writes of one item conflict, with DynamoDB's answers.

use std::time::Duration;

use futures::future::join;
use serde_json::{Value, json};
use spillway_tests::store_proxy::{Hold, Matching};
use spillway_tests::table::Table;
use spillway_tests::{Deadline, Options, Stack, Template, eventually};

const HOLD: Duration = Duration::from_millis(15);

/// A stack without triggers, whose writes conflict.
async fn conflicting() -> Stack {
    let stack = Stack::start(Options::new().store_proxy().template(Template::without_triggers())).await;
    stack.store_proxy().set_conflicts(HOLD);
    stack
}

fn key(sk: &str) -> Value {
    json!({"pk": {"S": "race"}, "sk": {"S": sk}})
}

fn item(sk: &str, value: &str) -> Value {
    json!({"pk": {"S": "race"}, "sk": {"S": sk}, "value": {"S": value}})
}

/// A transaction that writes `value` into these items.
async fn transact(table: &Table, items: &[&str], value: &str) -> Result<Value, String> {
    let puts = items.iter().map(|sk| json!({"Put": {"TableName": table.name(), "Item": item(sk, value)}}));
    table.try_call("TransactWriteItems", json!({"TransactItems": puts.collect::<Vec<Value>>()})).await
}

/// The result of `meanwhile`, which runs while the writes caught by `hold` are in flight; they are forwarded
/// afterwards.
async fn during<T>(hold: Hold, meanwhile: impl Future<Output = T>) -> T {
    hold.reached(1).await;
    let given = meanwhile.await;
    hold.forward();
    given
}

#[tokio::test]
async fn the_later_of_two_transactions_is_canceled() {
    let stack = conflicting().await;
    let table = stack.proxied_table();
    let hold = stack.store_proxy().hold(1, Matching::operation("TransactWriteItems"));
    let meanwhile =
        during(hold, async { (transact(&table, &["c", "a", "d"], "2").await, transact(&table, &["e"], "2").await) });
    let (first, (second, elsewhere)) = join(transact(&table, &["a", "b"], "1"), meanwhile).await;
    let refusal = second.unwrap_err();
    assert!(refusal.starts_with("400") && refusal.contains("TransactionCanceledException"), "{refusal}");
    let reasons = r#""CancellationReasons":[{"Code":"None"},{"Code":"TransactionConflict"},{"Code":"None"}]"#;
    assert!(refusal.contains(reasons), "{refusal}");
    assert_eq!((first.is_ok(), elsewhere.is_ok()), (true, true));
    transact(&table, &["c", "a", "d"], "3").await.unwrap();
    assert_eq!(stack.table().item("race", "a").await.unwrap()["value"], "3");
}

#[tokio::test]
async fn a_repeated_transaction_is_in_progress() {
    let stack = conflicting().await;
    let table = stack.proxied_table();
    let put = json!({"Put": {"TableName": table.name(), "Item": item("a", "1")}});
    let request = json!({"ClientRequestToken": "one", "TransactItems": [put]});
    let hold = stack.store_proxy().hold(1, Matching::operation("TransactWriteItems"));
    let meanwhile = during(hold, table.try_call("TransactWriteItems", request.clone()));
    let (first, second) = join(table.try_call("TransactWriteItems", request.clone()), meanwhile).await;
    first.unwrap();
    assert!(second.unwrap_err().contains("TransactionInProgressException"));
    table.call("TransactWriteItems", request).await;
}

#[tokio::test]
async fn a_transaction_refuses_plain_writes_but_no_reads() {
    let stack = conflicting().await;
    let table = stack.proxied_table();
    transact(&table, &["a"], "0").await.unwrap();
    let hold = stack.store_proxy().hold(1, Matching::operation("TransactWriteItems"));
    let set = json!({"Key": key("a"), "UpdateExpression": "SET seen = :yes",
        "ExpressionAttributeValues": {":yes": {"BOOL": true}}});
    let writes =
        [("PutItem", json!({"Item": item("a", "2")})), ("UpdateItem", set), ("DeleteItem", json!({"Key": key("a")}))];
    let meanwhile = during(hold, async {
        for (operation, request) in writes {
            let refusal = table.try_call(operation, request).await.unwrap_err();
            assert!(refusal.starts_with("400") && refusal.contains("#TransactionConflictException"), "{refusal}");
        }
        let read = json!({"TransactItems": [{"Get": {"TableName": table.name(), "Key": key("a")}}]});
        let refusal = table.try_call("TransactGetItems", read).await.unwrap_err();
        assert!(refusal.contains(r#"[{"Code":"TransactionConflict"}]"#), "{refusal}");
        table.call("PutItem", json!({"Item": item("b", "2")})).await;
        table.item("race", "a").await.unwrap()
    });
    let (written, read) = join(transact(&table, &["a"], "1"), meanwhile).await;
    written.unwrap();
    assert_eq!(read["value"], "0");
    assert_eq!(stack.table().item("race", "a").await.unwrap()["value"], "1");
}

#[tokio::test]
async fn plain_writes_of_one_item_wait_for_each_other() {
    let stack = conflicting().await;
    let table = stack.proxied_table();
    let put = |value: &str| table.try_call("PutItem", json!({"Item": item("a", value)}));
    let hold = stack.store_proxy().hold(1, Matching::operation("PutItem"));
    let first = put("1");
    let second = async {
        hold.reached(1).await;
        put("2").await
    };
    let release = async {
        came(&stack, 2).await;
        // A transaction does not wait: its input may be stale by then.
        let canceled = transact(&table, &["a"], "3").await.unwrap_err();
        hold.forward();
        canceled
    };
    let ((first, second), canceled) = join(join(first, second), release).await;
    assert_eq!((first.is_ok(), second.is_ok()), (true, true));
    assert!(canceled.contains(r#"[{"Code":"TransactionConflict"}]"#), "{canceled}");
    assert_eq!(stack.table().item("race", "a").await.unwrap()["value"], "2");
}

/// Waits for this many PutItem calls.
async fn came(stack: &Stack, count: usize) {
    eventually("the writes have arrived", Deadline::SOON, async || {
        let arrived = stack.store_proxy().count(&Matching::operation("PutItem"));
        if arrived < count { Err(format!("{arrived}")) } else { Ok(()) }
    })
    .await;
}
