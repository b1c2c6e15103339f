//! `POST /v1/webhook-endpoints`

use reqwest::Method;
use serde_json::{Value, json};
use spillway_tests::{Answer, Client, Options, Stack};

async fn create(client: &Client, body: &Value) -> Answer {
    let request = client.request(Method::POST, "/webhook-endpoints").header("content-type", "application/json");
    request.body(body.to_string()).send().await
}

#[tokio::test]
async fn a_wrong_endpoint_is_refused_and_not_stored() {
    let stack = Stack::start(Options::new()).await;
    let client = stack.new_merchant().await.client;
    let right = json!({"url": "https://example.com/hook", "event_types": ["payment.*"]});
    let with = |field: &str, value: Value| {
        let mut body = right.clone();
        body[field] = value;
        body
    };
    let cases = [
        (json!({}), vec!["/event_types", "/url"]),
        (with("url", json!("not a url")), vec!["/url"]),
        (with("url", json!("ftp://example.com/")), vec!["/url"]),
        (with("url", json!("http://example.com/")), vec!["/url"]),
        (with("url", json!("https://user:pass@example.com/")), vec!["/url"]),
        (with("url", json!("https://10.0.0.1/")), vec!["/url"]),
        (with("url", json!("https://169.254.169.254/latest/meta-data")), vec!["/url"]),
        (with("url", json!("https://[fd00::1]/")), vec!["/url"]),
        (with("url", json!(7)), vec!["/url"]),
        (with("event_types", json!([])), vec!["/event_types"]),
        (with("event_types", json!("payment.*")), vec!["/event_types"]),
        (with("event_types", json!(["payment.exploded"])), vec!["/event_types/0"]),
        (with("surprise", json!(1)), vec!["/surprise"]),
    ];
    let stored = stack.table().items().await.len();
    for (body, pointers) in cases {
        let answer = create(&client, &body).await;
        assert_eq!(answer.status, 422, "{body} gave {}", answer.text);
        let answer = answer.expect_problem(422, "invalid_request");
        let mut named = answer.pointers();
        named.sort_unstable();
        assert_eq!(named, pointers, "{body} gave {}", answer.text);
    }
    assert_eq!(stack.table().items().await.len(), stored);
}

#[tokio::test]
async fn loopback_is_for_test_mode_and_only_where_it_is_allowed() {
    let loopback = json!({"url": "http://127.0.0.1:9/hook", "event_types": ["payment.*"]});
    let stack = Stack::start(Options::new()).await;
    let merchant = stack.new_merchant().await;
    create(&merchant.client, &loopback).await.expect(201);
    let live = stack.new_key(&merchant.id, json!({"mode": "live"})).await;
    create(&live, &loopback).await.expect_problem(422, "invalid_request");
    drop(stack);

    let strict = Stack::start(Options::new().knob("WEBHOOK_LOOPBACK", "false")).await;
    let client = strict.new_merchant().await.client;
    for url in
        ["http://127.0.0.1:9/hook", "https://127.0.0.1:9/hook", "https://[::1]/hook", "https://[::ffff:127.0.0.1]/"]
    {
        let body = json!({"url": url, "event_types": ["payment.*"]});
        create(&client, &body).await.expect_problem(422, "invalid_request");
    }
}
