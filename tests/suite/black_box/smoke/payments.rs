//! `POST /v1/payments`, and the resulting payment.

use reqwest::Method;
use serde_json::{Value, json};
use spillway_tests::{Target, unique};

#[tokio::test]
async fn a_payment_is_accepted_and_charged() {
    let target = Target::start().await;
    let client = target.any_client().await;
    let mut request = super::right(&client).await;
    let told = json!({"capture_method": "automatic", "description": "Order 1001", "reference": "1001",
        "customer": "cus_77", "metadata": {"cart": "7"}});
    request.as_object_mut().unwrap().extend(told.as_object().unwrap().clone());

    let accepted = client.create_payment(&unique(), &request).await.expect(202);
    let id = accepted.id();
    assert!(id.starts_with("pay_"), "{id}");
    assert_eq!(accepted.header("location"), format!("{}/payments/{id}", target.path()));
    assert_eq!(accepted.header("content-type"), "application/json");
    assert!(!accepted.header("request-id").is_empty());
    let created_at = &accepted.body["created_at"];
    let mut expected = json!({"id": id, "object": "payment", "mode": "test", "status": "processing",
        "amount_captured": 0, "amount_refunded": 0, "amount_disputed": 0, "payment_method": null, "failure": null,
        "fee": null, "available_on": null, "cancellation_reason": null, "version": 1, "created_at": created_at,
        "updated_at": created_at});
    expected.as_object_mut().unwrap().extend(request.as_object().unwrap().clone());
    expected.as_object_mut().unwrap().remove("token");
    assert_eq!(accepted.body, expected);

    let payment = client.finished(id).await;
    assert!(payment["fee"].as_i64().is_some_and(|fee| (0..=1250).contains(&fee)), "{payment}");
    assert_eq!(payment["available_on"].as_str().map(str::len), Some("2026-01-31".len()), "{payment}");
    assert!(payment["updated_at"].as_str() >= created_at.as_str(), "{payment}");
    let method = json!({"type": "card", "brand": "visa", "last4": "4242"});
    for (field, value) in [
        ("status", &json!("succeeded")),
        ("amount_captured", &json!(1250)),
        ("payment_method", &method),
        ("version", &json!(2)),
        ("fee", &payment["fee"]),
        ("available_on", &payment["available_on"]),
        ("updated_at", &payment["updated_at"]),
    ] {
        expected[field] = value.clone();
    }
    assert_eq!(payment, expected);
}

#[tokio::test]
async fn a_declined_card_fails_the_payment_with_its_reason() {
    let target = Target::start().await;
    let client = target.any_client().await;
    let mut request = super::right(&client).await;
    request["token"] = json!("tok_declined");
    let accepted = client.create_payment(&unique(), &request).await.expect(202);
    let payment = client.finished(accepted.id()).await;
    assert_eq!((&payment["status"], &payment["failure"]["code"]), (&json!("failed"), &json!("card_declined")));
    assert!(payment["failure"]["message"].as_str().is_some_and(|message| !message.is_empty()), "{payment}");
    assert_eq!((&payment["amount_captured"], &payment["fee"]), (&json!(0), &Value::Null), "{payment}");
}

#[tokio::test]
async fn a_payment_carries_its_version_as_etag() {
    let target = Target::start().await;
    let client = target.any_client().await;
    let payment = client.paid(1250, &super::currency(&client).await).await;
    let path = format!("/payments/{}", payment["id"].as_str().unwrap());
    let answer = client.get(&path).await.expect(200);
    assert_eq!(answer.header("etag"), "\"2\"");
    assert_eq!(answer.header("cache-control"), "private, no-cache");
    assert_eq!(answer.header("content-type"), "application/json");
    assert!(!answer.header("request-id").is_empty());
    for known in ["\"2\"", "W/\"2\"", "\"1\", \"2\"", "*"] {
        let same = client.request(Method::GET, &path).header("if-none-match", known).send().await.expect(304);
        assert_eq!((same.text.as_str(), same.header("etag")), ("", "\"2\""));
        assert_eq!(same.header("cache-control"), "private, no-cache");
        assert!(!same.header("request-id").is_empty());
    }
    client.request(Method::GET, &path).header("if-none-match", "\"1\"").send().await.expect(200);
}

#[tokio::test]
async fn a_failed_payment_carries_its_version_as_etag() {
    let target = Target::start().await;
    let client = target.any_client().await;
    let id = client.pay(1250, &super::currency(&client).await, "tok_declined").await;
    client.finished(&id).await;
    let request = client.request(Method::GET, &format!("/payments/{id}"));
    for answer in [request.send().await.expect(200), request.header("if-none-match", "*").send().await.expect(304)] {
        let headers = ["cache-control", "etag"].map(|name| answer.header(name));
        assert_eq!(headers, ["private, no-cache", "\"2\""]);
        assert!(!answer.header("request-id").is_empty());
    }
}

#[tokio::test]
async fn an_unknown_payment_is_not_found() {
    let target = Target::start().await;
    let client = target.any_client().await;
    let answer = client.get("/payments/pay_00000000000000000000000000").await.expect_problem(404, "not_found");
    assert_eq!(answer.body["detail"], "There is no payment with this id.");
}

/// One request for each way to refuse it; `payments/create.rs` has all of them.
#[tokio::test]
async fn a_bad_request_is_refused_with_its_reason() {
    let target = Target::start().await;
    let client = target.any_client().await;
    let right = super::right(&client).await;
    let request = client.payment_request(&unique(), &right);
    let twice = right.to_string().replacen('{', r#"{"amount":1,"#, 1);
    let wrong = json!({"amount": "1250", "currency": "usd", "capture_mehtod": "manual", "metadata": {"cart": 7}});
    let wrong_fields = ["/amount", "/currency", "/token", "/capture_mehtod", "/metadata/cart"];
    let keyless = request.clone().without("idempotency-key");
    let text = request.clone().without("content-type").header("content-type", "text/plain");
    let large = format!("{right}{}", " ".repeat(64 * 1024));
    for (request, status, code, pointers) in [
        (request.clone().body("[]"), 400, "malformed_request", &[][..]),
        (request.clone().body(twice), 400, "malformed_request", &["/amount"]),
        (request.clone().body(wrong.to_string()), 422, "invalid_request", &wrong_fields),
        (keyless.clone(), 400, "idempotency_key_missing", &[]),
        (keyless.header("idempotency-key", "a b"), 400, "idempotency_key_invalid", &[]),
        (text, 415, "unsupported_media_type", &[]),
        (request.body(large), 413, "body_too_large", &[]),
    ] {
        let answer = request.send().await;
        assert_eq!(answer.status, status, "{request:?} gave {}", answer.text);
        let mut expected = pointers.to_vec();
        let answer = answer.expect_problem(status, code);
        let mut named = answer.pointers();
        named.sort_unstable();
        expected.sort_unstable();
        assert_eq!(named, expected);
    }
}

#[tokio::test]
async fn a_card_number_in_any_field_is_refused_and_not_echoed() {
    let target = Target::start().await;
    let client = target.any_client().await;
    let right = super::right(&client).await;
    for number in ["4242424242424242", "5555-5555-5555-4444", "3782 822463 10005"] {
        for (field, value, pointer) in [
            ("token", json!(number), "/token"),
            ("description", json!(format!("card {number}, thanks")), "/description"),
            ("metadata", json!({"card": number}), "/metadata/card"),
        ] {
            let mut body = right.clone();
            body[field] = value;
            let answer = client.create_payment(&unique(), &body).await.expect_problem(422, "invalid_request");
            assert!(answer.pointers().contains(&pointer), "{body} gave {}", answer.text);
            assert!(!answer.text.contains(number), "{}", answer.text);
        }
    }
}
