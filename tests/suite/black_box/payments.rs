//! Payments: tests that need their own merchant.

use reqwest::Method;
use serde_json::{Value, json};
use spillway_tests::terms::{payment, payment_with as with};
use spillway_tests::{Target, unique};

#[tokio::test]
async fn boundary_values_are_accepted() {
    let target = Target::start().await;
    let client = target.new_merchant().await.client;
    let fifty: Value = (0..50).map(|n| (format!("key{n}"), json!("v"))).collect::<serde_json::Map<_, _>>().into();
    let bodies = [
        with("amount", json!(1)),
        with("amount", json!(999_999_999_999_u64)),
        with("metadata", fifty),
        with("metadata", json!({})),
        with("capture_method", json!("automatic")),
        with("description", json!("Ünïcödé ✓ 字")),
        with("description", json!(null)),
        format!("{}{}", payment(), " ".repeat(60 * 1024)),
    ];
    for body in bodies {
        client.payment_request(&unique(), &json!({})).body(body).send().await.expect(202);
    }
    let request = client.payment_request("x", &payment());
    for content_type in ["application/json; charset=UTF-8", "Application/JSON", "application/json;charset=utf-8"] {
        let request = request.clone().without("content-type").header("content-type", content_type);
        request.send().await.expect(202);
    }
    for key in ["k".repeat(255), "a!\"#~".to_owned(), "\"quoted\"".to_owned()] {
        client.create_payment(&key, &payment()).await.expect(202);
    }
    // Quoted or bare, it is the same key.
    let replayed = client.create_payment("quoted", &payment()).await.expect(202);
    assert_eq!(replayed.header("idempotent-replayed"), "true");
}

#[tokio::test]
async fn numbers_that_are_no_card_numbers_are_accepted() {
    let target = Target::start().await;
    let client = target.new_merchant().await.client;
    for harmless in [
        "4242424242424241",
        "1234567890123456",
        "42424242",
        "+49 30 123456789",
        "2026-01-31T12:00:00.123Z",
        "d69a3895-2f40-4615-8792-183c7d8214b3",
        "R4242424242424242",
    ] {
        let payment = json!({"amount": 1250, "currency": "USD", "token": "tok_visa", "description": harmless});
        client.create_payment(&unique(), &payment).await.expect(202);
    }
}

#[tokio::test]
async fn a_trailing_slash_is_ignored() {
    let target = Target::start().await;
    let client = target.new_merchant().await.client;
    let payment = client.paid(1250, "USD").await;
    let id = payment["id"].as_str().unwrap();
    assert_eq!(client.get(&format!("/payments/{id}/")).await.expect(200).body, payment);
}

#[tokio::test]
async fn a_repeated_header_is_refused() {
    let target = Target::start().await;
    let client = target.new_merchant().await.client;
    let request = client.payment_request("one", &payment());
    for second in ["one", "two"] {
        let twice = request.clone().header("idempotency-key", second);
        twice.send().await.expect_problem(400, "idempotency_key_invalid");
    }
    let authorization = format!("Bearer {}", client.secret());
    let twice = client.request(Method::GET, "/balance").header("authorization", &authorization);
    twice.send().await.expect_problem(401, "unauthorized");
}
