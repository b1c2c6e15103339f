//! `GET /v1/payments/{payment_id}`

use reqwest::Method;
use spillway_tests::{Options, Stack};

#[tokio::test]
async fn a_payment_carries_its_version_as_etag() {
    let stack = Stack::start(Options::new()).await;
    let client = stack.new_merchant().await.client;
    let payment = client.paid(1250, "USD").await;
    let path = format!("/payments/{}", payment["id"].as_str().unwrap());
    let answer = client.get(&path).await.expect(200);
    assert_eq!(answer.header("etag"), "\"2\"");
    assert_eq!(answer.header("cache-control"), "no-cache");
    assert_eq!(answer.header("content-type"), "application/json");
    assert!(!answer.header("request-id").is_empty());
    for known in ["\"2\"", "W/\"2\"", "\"1\", \"2\"", "*"] {
        let same = client.request(Method::GET, &path).header("if-none-match", known).send().await.expect(304);
        assert_eq!((same.text.as_str(), same.header("etag")), ("", "\"2\""));
    }
    client.request(Method::GET, &path).header("if-none-match", "\"1\"").send().await.expect(200);
}

#[tokio::test]
async fn a_slash_at_the_end_changes_nothing() {
    let stack = Stack::start(Options::new()).await;
    let client = stack.new_merchant().await.client;
    let payment = client.paid(1250, "USD").await;
    let id = payment["id"].as_str().unwrap();
    assert_eq!(client.get(&format!("/payments/{id}/")).await.expect(200).body, payment);
}
