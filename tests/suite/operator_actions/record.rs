//! The record of an operator's action: written with the change, once, and never changed.

use futures::future::{join, join_all};
use serde_json::{Value, json};
use spillway_tests::store_proxy::{Fault, Matching};
use spillway_tests::table::Item;
use spillway_tests::{Options, Stack, unique};

fn merchant() -> Value {
    json!({"reference": unique(), "name": "Acme", "plan": "standard",
        "currencies": {"USD": {"fee_basis_points": 290, "fee_fixed": 30}}})
}

/// The stored actions on a merchant.
async fn stored(stack: &Stack, merchant: &Value) -> Vec<Item> {
    stack.table().partition(&format!("{}#actions", merchant["id"].as_str().unwrap())).await
}

fn operators(actions: &[Item]) -> Vec<&str> {
    actions.iter().map(|action| action["operator"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn a_repeated_request_records_no_second_action() {
    let stack = Stack::start(Options::new()).await;
    let creation = merchant();
    let merchant = stack.invoke("create-merchant", &creation).await.unwrap();
    let issue = json!({"merchant": merchant["id"], "mode": "test", "reference": "first", "scopes": ["balance:read"]});
    let key = stack.invoke("issue-api-key", &issue).await.unwrap();
    let change = json!({"merchant": merchant["id"], "suspended": true});
    stack.invoke("update-merchant", &change).await.unwrap();
    let revocation = json!({"merchant": merchant["id"], "key": key["id"]});
    stack.invoke("revoke-api-key", &revocation).await.unwrap();
    let first = stored(&stack, &merchant).await;
    assert_eq!(operators(&first), ["tests"; 4]);
    let again = [
        ("create-merchant", creation),
        ("update-merchant", change),
        ("revoke-api-key", revocation),
        // The reference names a revoked key.
        ("issue-api-key", issue),
    ];
    for (function, mut request) in again {
        request["operator"] = json!("another");
        let repeated = stack.invoke(function, &request).await;
        assert_eq!(repeated.is_err(), function == "issue-api-key", "{function}: {repeated:?}");
    }
    assert_eq!(stored(&stack, &merchant).await, first);
}

#[tokio::test]
async fn of_operators_who_do_the_same_at_once_one_is_recorded() {
    let stack = Stack::start(Options::new().unkilled()).await;
    let merchant = stack.invoke("create-merchant", &merchant()).await.unwrap();
    let names: Vec<String> = (0..8).map(|number| format!("operator-{number}")).collect();
    let requests = names.iter().map(|name| json!({"operator": name, "merchant": merchant["id"], "name": "Acme Inc"}));
    let requests: Vec<Value> = requests.collect();
    for answer in join_all(requests.iter().map(|request| stack.invoke("update-merchant", request))).await {
        assert_eq!(answer.unwrap()["version"], 2);
    }
    let actions = stored(&stack, &merchant).await;
    assert_eq!(actions.len(), 2, "{actions:?}");
    assert!(names.iter().any(|name| *name == operators(&actions)[1]), "{actions:?}");
}

#[tokio::test]
async fn two_operators_who_change_different_fields_are_both_recorded() {
    let stack = Stack::start(Options::new().store_proxy()).await;
    let merchant = stack.invoke("create-merchant", &merchant()).await.unwrap();
    let update = async |operator: &str, fields: Value| {
        let mut request = fields;
        (request["operator"], request["merchant"]) = (json!(operator), merchant["id"].clone());
        stack.invoke("update-merchant", &request).await.unwrap()
    };
    let held = stack.store_proxy().hold(1, Matching::operation("TransactWriteItems").with("Overtaken Inc"));
    let other = async {
        held.reached(1).await;
        update("second", json!({"suspended": true})).await;
        held.forward();
    };
    join(update("first", json!({"name": "Overtaken Inc"})), other).await;
    assert_eq!(operators(&stored(&stack, &merchant).await), ["tests", "second", "first"]);
}

#[tokio::test]
async fn a_change_that_is_not_stored_is_not_recorded() {
    let stack = Stack::start(Options::new().unkilled().store_proxy()).await;
    let merchant = stack.invoke("create-merchant", &merchant()).await.unwrap();
    let actions = stored(&stack, &merchant).await;
    let refused = Fault::Error("ValidationException");
    stack.store_proxy().fault(usize::MAX, Matching::operation("TransactWriteItems"), refused);
    let change = json!({"merchant": merchant["id"], "suspended": true});
    stack.invoke("update-merchant", &change).await.unwrap_err();
    stack.store_proxy().heal();
    assert_eq!(stored(&stack, &merchant).await, actions);
    let read = stack.table().item(merchant["id"].as_str().unwrap(), "merchant").await.unwrap();
    assert_eq!(read["suspended"], json!(false));
}

#[tokio::test]
async fn a_lost_reply_records_one_action() {
    let stack = Stack::start(Options::new().unkilled().store_proxy()).await;
    let request = merchant();
    let reference = request["reference"].as_str().unwrap();
    let put = Matching::operation("TransactWriteItems").with(reference);
    stack.store_proxy().fault(2, put.clone(), Fault::LoseReply);
    let merchant = stack.invoke("create-merchant", &request).await.unwrap();
    assert_eq!((stack.store_proxy().count(&put), stored(&stack, &merchant).await.len()), (3, 1));
}
