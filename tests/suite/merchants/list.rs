//! `list-merchants`, invoked directly.

use serde_json::{Value, json};
use spillway_tests::{Options, Stack};

/// The ids of all merchants, by pages of two.
async fn ids(stack: &Stack) -> Vec<String> {
    let (mut ids, mut cursor) = (Vec::new(), Value::Null);
    loop {
        let page = stack.invoke("list-merchants", &json!({"limit": 2, "cursor": cursor})).await.unwrap();
        let merchants = page["data"].as_array().unwrap();
        assert!(merchants.len() == 2 || page["has_more"] == false, "{page}");
        ids.extend(merchants.iter().map(|merchant| merchant["id"].as_str().unwrap().to_owned()));
        cursor = page["next_cursor"].clone();
        assert_eq!(page["has_more"], json!(!cursor.is_null()));
        if cursor.is_null() {
            return ids;
        }
    }
}

#[tokio::test]
async fn pages_contain_each_merchant_newest_first() {
    let stack = Stack::start(Options::new()).await;
    let mut created = vec![stack.developers_merchant().to_owned()];
    for _ in 0..4 {
        created.insert(0, stack.new_merchant().await.id);
    }
    assert_eq!(ids(&stack).await, created);
}

#[tokio::test]
async fn a_merchant_is_listed_as_it_is_now_without_its_plan_key() {
    let stack = Stack::start(Options::new()).await;
    let merchant = stack.new_merchant().await;
    let change = json!({"merchant": merchant.id, "suspended": true, "name": "Acme Inc"});
    let mut changed = stack.invoke("update-merchant", &change).await.unwrap();
    changed.as_object_mut().unwrap().remove("effective_at");
    let page = stack.invoke("list-merchants", &json!({})).await.unwrap();
    assert_eq!((&page["data"][0], &changed["suspended"]), (&changed, &json!(true)), "{page}");
    let stored = stack.table().item(&merchant.id, "merchant").await.unwrap();
    assert!(!page.to_string().contains(stored["plan_key"].as_str().unwrap()), "{page}");
}

#[tokio::test]
async fn an_unreadable_merchant_is_left_out() {
    let stack = Stack::start(Options::new()).await;
    let (damaged, merchant) = (stack.new_merchant().await, stack.new_merchant().await);
    let nothing = json!({":nothing": {"S": "nothing"}});
    stack.table().update(&damaged.id, "merchant", "SET shards = :nothing", nothing).await;
    assert_eq!(ids(&stack).await, [merchant.id.as_str(), stack.developers_merchant()]);
}
