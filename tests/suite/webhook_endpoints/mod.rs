//! `/v1/webhook-endpoints`: the list, and rules of all operations on an endpoint.

mod create;
mod delete;
mod rotate;
mod secrets;
mod test;
mod update;

use futures::future::join_all;
use serde_json::{Value, json};
use spillway_tests::receiver::{Receiver, Reply};
use spillway_tests::store_proxy::{Fault, Matching};
use spillway_tests::table::Item;
use spillway_tests::{Client, Deadline, Merchant, Options, Stack, Template, clock, eventually, pages, unique};

const URL: &str = "https://example.com/hook";

fn text(value: &Value, field: &str) -> String {
    value[field].as_str().unwrap().to_owned()
}

/// Milliseconds since 1970.
fn millis(time: &Value) -> i64 {
    clock::millis(time.as_str().unwrap())
}

/// Stored counts of the merchant's endpoints: all, and enabled ones.
async fn count(stack: &Stack, merchant: &Merchant) -> (Value, Value) {
    let count = stack.table().item(&format!("{}#webhooks", merchant.tenant()), "count").await.unwrap();
    (count["endpoints"].clone(), count["enabled"].clone())
}

async fn stored(stack: &Stack, merchant: &Merchant, id: &str) -> Item {
    stack.table().item(&format!("{}#webhooks", merchant.tenant()), id).await.unwrap()
}

#[tokio::test]
async fn a_list_has_each_endpoint_once_and_no_secret() {
    let stack = Stack::start(Options::new()).await;
    let merchant = stack.new_merchant().await;
    let mut created = Vec::new();
    for _ in 0..5 {
        created.push(text(&merchant.client.create_webhook_endpoint(URL, &["*"]).await, "id"));
    }
    merchant.client.webhook_endpoint_change(&created[1], 1, &json!({"status": "disabled"})).send().await.expect(200);
    stack.new_merchant().await.client.create_webhook_endpoint(URL, &["*"]).await;

    let read = pages::walk(&merchant.client, "/webhook-endpoints", 2, "").await.concat();
    let ids: Vec<String> = read.iter().map(|endpoint| text(endpoint, "id")).collect();
    created.reverse();
    assert_eq!(ids, created);
    assert!(read.iter().all(|endpoint| endpoint.get("secret").is_none()), "{read:?}");
    let disabled = merchant.client.get("/webhook-endpoints?status=disabled").await.expect(200).body;
    assert_eq!((disabled["data"].as_array().unwrap().len(), &disabled["data"][0]["id"]), (1, &json!(created[3])));
    merchant.client.get("/webhook-endpoints?status=gone").await.expect_problem(400, "invalid_parameters");
}

#[tokio::test]
async fn a_lost_reply_applies_no_change_twice() {
    let stack = Stack::start(Options::new().store_proxy().template(Template::without_triggers()).unkilled()).await;
    let merchant = stack.new_merchant().await;
    let client: &Client = &merchant.client;
    let id = text(&client.create_webhook_endpoint(URL, &["*"]).await, "id");
    for (matching, request, status) in [
        ("event_types", client.webhook_endpoint_change(&id, 1, &json!({"event_types": ["refund.*"]})), 200),
        ("status", client.webhook_endpoint_change(&id, 2, &json!({"status": "disabled"})), 200),
        ("status", client.webhook_endpoint_change(&id, 3, &json!({"status": "enabled"})), 200),
        ("secrets", client.webhook_endpoint_action(&id, "rotate-secret", &unique()), 200),
        ("last_test", client.webhook_endpoint_action(&id, "test", &unique()), 202),
        ("gone#", client.webhook_endpoint_deletion(&id), 204),
    ] {
        let matching = Matching::all().with(&id).with(matching).with("ExpressionAttribute");
        let before = stack.store_proxy().count(&matching);
        stack.store_proxy().fault(1, matching.clone(), Fault::LoseReply);
        let answer = request.send().await.expect(status);
        assert_eq!(answer.header("idempotent-replayed"), "", "{matching:?}");
        assert!(stack.store_proxy().count(&matching) >= before + 2, "no reply to {matching:?} was lost");
    }
    assert_eq!(count(&stack, &merchant).await, (json!(0), json!(0)));
}
