//! `POST /v1/webhook-endpoints`

use std::iter::repeat_n;

use futures::future::join_all;
use serde_json::{Value, json};
use spillway_tests::receiver::{Receiver, Reply};
use spillway_tests::{Answer, Client, Deadline, Options, Stack, eventually, unique};

async fn create(client: &Client, body: &Value) -> Answer {
    client.webhook_endpoint_request(&unique(), "", &[]).body(body.to_string()).send().await
}

#[tokio::test]
async fn an_invalid_endpoint_is_refused_and_not_stored() {
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
        // 1,021 characters, 2,021 bytes; called, 6,021.
        (with("url", json!(format!("https://example.com/?{}", "é".repeat(1000)))), vec!["/url"]),
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
async fn loopback_urls_need_test_mode_and_permission() {
    let loopback = json!({"url": "http://127.0.0.1:9/hook", "event_types": ["payment.*"]});
    let stack = Stack::start(Options::new()).await;
    let merchant = stack.new_merchant().await;
    create(&merchant.client, &loopback).await.expect(201);
    let live = stack.new_key(&merchant.id, json!({"mode": "live"})).await;
    create(&live, &loopback).await.expect_problem(422, "invalid_request");
    drop(stack);

    let strict = Stack::start(Options::new().knob("FUNCTION_ENV", "WEBHOOK_LOOPBACK=false")).await;
    let client = strict.new_merchant().await.client;
    for url in
        ["http://127.0.0.1:9/hook", "https://127.0.0.1:9/hook", "https://[::1]/hook", "https://[::ffff:127.0.0.1]/"]
    {
        let body = json!({"url": url, "event_types": ["payment.*"]});
        create(&client, &body).await.expect_problem(422, "invalid_request");
    }
}

#[tokio::test]
async fn concurrent_creations_enable_twenty_at_most() {
    let stack = Stack::start(Options::new()).await;
    let merchant = stack.new_merchant().await;
    let request = |number: usize| {
        let url = "https://example.com/hook";
        merchant.client.webhook_endpoint_request(&number.to_string(), url, &["payment.*"])
    };
    let requests: Vec<_> = (0..40).map(request).collect();
    // A request that conflicts too often gets 503 and is repeated.
    let answers = join_all(requests.iter().map(|request| async { request.send_until_served().await.unwrap() })).await;
    let (created, refused): (Vec<_>, Vec<_>) =
        requests.iter().zip(answers).partition(|(_, answer)| answer.status == 201);
    assert_eq!((created.len(), refused.len()), (20, 20));
    for (_, answer) in refused {
        let answer = answer.expect_problem(409, "too_many_enabled_webhook_endpoints");
        let detail = answer.body["detail"].as_str().unwrap();
        assert!(detail.contains("20 enabled"), "{detail}");
    }
    for (request, answer) in created {
        let again = request.send().await.expect(201);
        assert_eq!((&again.body, again.header("idempotent-replayed")), (&answer.body, "true"));
    }
    let stored = stack.table().partition(&format!("{}#webhooks", merchant.tenant())).await;
    assert_eq!(stored.iter().filter(|item| item["sk"].as_str().unwrap().starts_with("we_")).count(), 20);
    // Another tenant has its own twenty.
    stack.new_merchant().await.client.create_webhook_endpoint("https://example.com/hook", &["*"]).await;
}

#[tokio::test]
async fn disabled_endpoints_make_room_up_to_a_hundred() {
    let stack = Stack::start(Options::new()).await;
    let merchant = stack.new_merchant().await;
    let gone = Receiver::scripted(repeat_n(Reply::Status(410), 10_000)).await;
    let request =
        |number: usize| merchant.client.webhook_endpoint_request(&number.to_string(), gone.url(), &["payment.*"]);
    let partition = format!("{}#webhooks", merchant.tenant());
    let mut first = Value::Null;
    for round in 0..5 {
        for number in round * 20..(round + 1) * 20 {
            let created = request(number).send_until_served().await.unwrap().expect(201).body;
            first = if number == 0 { created } else { first };
        }
        eventually("all of them are disabled", Deadline::LATER, async || {
            merchant.client.paid(1250, "USD").await;
            let stored = stack.table().partition(&partition).await;
            let disabled = stored.iter().filter(|item| item.get("status") == Some(&json!("disabled"))).count();
            if disabled == (round + 1) * 20 { Ok(()) } else { Err(format!("{disabled} are disabled")) }
        })
        .await;
    }
    let refused = request(100).send().await.expect_problem(409, "too_many_webhook_endpoints");
    assert!(refused.body["detail"].as_str().unwrap().contains("100 webhook endpoints"), "{}", refused.text);
    let again = request(0).send().await.expect(201);
    assert_eq!((again.id(), &again.body["secret"]), (first["id"].as_str().unwrap(), &first["secret"]));
}
