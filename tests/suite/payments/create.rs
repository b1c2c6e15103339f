//! `POST /v1/payments`: refusals and their problems. A refusal stores nothing.

use reqwest::Method;
use serde_json::{Value, json};
use spillway_tests::client::Request;
use spillway_tests::terms::{payment, payment_with as with};
use spillway_tests::{Client, Options, Stack, unique};

/// Sends the cases to one stack, and checks afterwards that nothing was stored.
async fn refused(make: impl AsyncFn(&Stack, &Client) -> Vec<(Request, u16, &'static str, Vec<&'static str>)>) {
    let stack = Stack::start(Options::new()).await;
    let merchant = stack.new_merchant().await;
    let cases = make(&stack, &merchant.client).await;
    let stored = stack.table().items().await.len();
    for (request, status, code, pointers) in cases {
        let answer = request.send().await;
        let shown = format!("{request:?} gave {}", answer.text);
        assert_eq!((answer.status.as_u16(), answer.body["code"].as_str()), (status, Some(code)), "{shown}");
        let answer = answer.expect_problem(status, code);
        assert_eq!(answer.pointers(), pointers, "{shown}");
    }
    assert_eq!(stack.table().items().await.len(), stored, "a refused request stored something");
}

#[tokio::test]
async fn a_body_that_is_no_json_object_is_malformed() {
    refused(async |_, client| {
        let bodies: [(&[u8], &[&str]); 18] = [
            (b"", &[]),
            (b" ", &[]),
            (b"not json", &[]),
            (b"{", &[]),
            (b"42", &[]),
            (b"\"x\"", &[]),
            (b"[]", &[]),
            (b"null", &[]),
            (b"true", &[]),
            (b"[{\"amount\":1250,\"currency\":\"USD\",\"token\":\"tok_visa\"}]", &[]),
            (b"{\"amount\":1,\"amount\":1250,\"currency\":\"USD\",\"token\":\"tok_visa\"}", &["/amount"]),
            (b"{\"amount\":1,\"\\u0061mount\":1250,\"currency\":\"USD\",\"token\":\"tok_visa\"}", &["/amount"]),
            (b"{\"amount\":1,\"metadata\":{\"a\":\"1\",\"a\":\"2\"}}", &["/metadata/a"]),
            (b"{\"amount\":1250,\"currency\":\"USD\",\"token\":\"tok_visa\"} x", &[]),
            (b"{'amount':1250,'currency':'USD','token':'tok_visa'}", &[]),
            (b"\xef\xbb\xbf{\"amount\":1250,\"currency\":\"USD\",\"token\":\"tok_visa\"}", &[]),
            // Latin-1, and a character cut in half: neither may be stored with a replacement character.
            (b"{\"amount\":1250,\"currency\":\"USD\",\"token\":\"tok_visa\",\"description\":\"caf\xe9\"}", &[]),
            (b"{\"amount\":1250,\"currency\":\"USD\",\"token\":\"tok_visa\",\"description\":\"\xe2\x82\"}", &[]),
        ];
        let deep = "[".repeat(30_000);
        let bodies = bodies.into_iter().map(|(body, pointers)| (body.to_vec(), pointers.to_vec()));
        let request = |body| client.payment_request(&unique(), &json!({})).body(body);
        let refused = |(body, pointers)| (request(body), 400, "malformed_request", pointers);
        bodies.chain([(deep.into_bytes(), vec![])]).map(refused).collect()
    })
    .await;
}

#[tokio::test]
async fn a_malformed_body_is_refused_with_its_reason() {
    let stack = Stack::start(Options::new()).await;
    let client = stack.new_merchant().await.client;
    let hook = client.request(Method::POST, "/webhook-endpoints").header("content-type", "application/json");
    for (body, message) in [
        (&b""[..], "The body is empty; send a JSON object."),
        (b" \r\n", "The body is empty; send a JSON object."),
        (b"\xef\xbb\xbf{\"amount\":1250}", "The body begins with a byte order mark; send it without."),
        (b"\xef\xbb\xbf", "The body begins with a byte order mark; send it without."),
        (b"{\"amount\":1250,", "The body ends before its JSON is complete (line 1, column 15)."),
        (b"{\"amount\":\n1250", "The body ends before its JSON is complete (line 2, column 4)."),
        (b"{'amount':1250}", "The body is not valid JSON: key must be a string at line 1 column 2."),
        (b"{\"amount\":1250} x", "The body is not valid JSON: trailing characters at line 1 column 17."),
        (b"[]", "The body must be a JSON object, not an array."),
        (b"caf\xe9", "The body is not valid UTF-8, or contains the character U+FFFD."),
        (b"\xff\xfe{\0}\0", "The body is not valid UTF-8, or contains the character U+FFFD."),
        (b"{\"a\":1,\"a\":2}", "The body repeats a key in an object; see errors."),
    ] {
        for request in
            [client.payment_request(&unique(), &json!({})), hook.clone().header("idempotency-key", &unique())]
        {
            let answer = request.body(body).send().await.expect_problem(400, "malformed_request");
            assert_eq!(answer.body["detail"], message, "{}", body.escape_ascii());
        }
    }
}

#[tokio::test]
async fn invalid_fields_are_named_by_pointer() {
    refused(async |_, client| {
        let many: Value = (0..51).map(|n| (format!("key{n}"), json!("v"))).collect::<serde_json::Map<_, _>>().into();
        let large = (0..20).map(|n| (format!("key{n}"), json!("x".repeat(450))));
        let large: Value = large.collect::<serde_json::Map<_, _>>().into();
        let cases = [
            ("{}".to_owned(), vec!["/amount", "/currency", "/token"]),
            (json!({"currency": "USD", "token": "tok_visa"}).to_string(), vec!["/amount"]),
            (
                json!({"amount": 0, "currency": "usd", "token": "tok_nope"}).to_string(),
                vec!["/amount", "/currency", "/token"],
            ),
            (with("amount", json!(0)), vec!["/amount"]),
            (with("amount", json!(-1)), vec!["/amount"]),
            (with("amount", json!("1250")), vec!["/amount"]),
            (with("amount", json!(true)), vec!["/amount"]),
            (with("amount", json!(null)), vec!["/amount"]),
            (with("amount", json!({})), vec!["/amount"]),
            (with("amount", json!(1_000_000_000_000_u64)), vec!["/amount"]),
            (with("amount", json!(9_007_199_254_740_993_u64)), vec!["/amount"]),
            (with("amount", json!(u64::MAX)), vec!["/amount"]),
            (payment().to_string().replace("1250", "1e3"), vec!["/amount"]),
            (payment().to_string().replace("1250", "10.0"), vec!["/amount"]),
            (payment().to_string().replace("1250", "10.5"), vec!["/amount"]),
            (payment().to_string().replace("1250", "-0"), vec!["/amount"]),
            (payment().to_string().replace("1250", &"9".repeat(40)), vec!["/amount"]),
            (with("currency", json!("usd")), vec!["/currency"]),
            (with("currency", json!("XXX")), vec!["/currency"]),
            (with("currency", json!("US")), vec!["/currency"]),
            (with("currency", json!(840)), vec!["/currency"]),
            (with("token", json!("tok_nope")), vec!["/token"]),
            (with("token", json!("")), vec!["/token"]),
            (with("token", json!(7)), vec!["/token"]),
            (with("capture_method", json!("sometimes")), vec!["/capture_method"]),
            (with("capture_mehtod", json!("manual")), vec!["/capture_mehtod"]),
            (with("a/b~c", json!(1)), vec!["/a~1b~0c"]),
            (with("description", json!(7)), vec!["/description"]),
            (with("description", json!("a\u{0}b")), vec!["/description"]),
            (with("description", json!("a\u{1b}[31mb")), vec!["/description"]),
            (with("reference", json!("a\nb")), vec!["/reference"]),
            (with("customer", json!("a\u{7f}b")), vec!["/customer"]),
            (with("metadata", json!([])), vec!["/metadata"]),
            (with("metadata", json!("x")), vec!["/metadata"]),
            (with("metadata", json!({"cart": 7})), vec!["/metadata/cart"]),
            (with("metadata", json!({"cart": {"a": "b"}})), vec!["/metadata/cart"]),
            (with("metadata", json!({"cart": "a\u{7}b"})), vec!["/metadata/cart"]),
            (with("metadata", many), vec!["/metadata"]),
            (with("metadata", large), vec!["/metadata"]),
        ];
        let request = |body: String| client.payment_request(&unique(), &json!({})).body(body);
        cases.into_iter().map(|(body, pointers)| (request(body), 422, "invalid_request", pointers)).collect()
    })
    .await;
}

#[tokio::test]
async fn a_currency_without_a_price_is_refused() {
    refused(async |_, client| {
        let request = client.payment_request(&unique(), &json!({})).body(with("currency", json!("GBP")));
        vec![(request, 422, "currency_not_enabled", vec!["/currency"])]
    })
    .await;
}

#[tokio::test]
async fn an_invalid_idempotency_key_is_refused() {
    refused(async |_, client| {
        let request = client.payment_request("x", &payment()).without("idempotency-key");
        let key = |value: &[u8]| request.clone().header_bytes("idempotency-key", value);
        let twice = key(b"one").header("idempotency-key", "two");
        let same_twice = key(b"one").header("idempotency-key", "one");
        let too_long = "k".repeat(256);
        let wrong = [
            key(b""),
            key(b"\"\""),
            key(too_long.as_bytes()),
            key("schlüssel".as_bytes()),
            key(b"a b"),
            key(b"\"open"),
            twice,
            same_twice,
        ];
        let missing = (request.clone(), 400, "idempotency_key_missing", vec![]);
        std::iter::once(missing)
            .chain(wrong.into_iter().map(|request| (request, 400, "idempotency_key_invalid", vec![])))
            .collect()
    })
    .await;
}

#[tokio::test]
async fn large_bodies_and_other_content_types_are_refused() {
    refused(async |_, client| {
        let request = client.payment_request(&unique(), &payment());
        let padded = format!("{}{}", payment(), " ".repeat(64 * 1024));
        let mut cases = vec![(request.clone().body(padded), 413, "body_too_large", vec![])];
        for wrong in ["text/plain", "application/xml", "application/jsonp", "application/x-www-form-urlencoded", ""] {
            let request = request.clone().without("content-type").header("content-type", wrong);
            cases.push((request, 415, "unsupported_media_type", vec![]));
        }
        cases.push((request.without("content-type"), 415, "unsupported_media_type", vec![]));
        cases
    })
    .await;
}

#[tokio::test]
async fn live_mode_has_no_processor_yet() {
    refused(async |stack, _| {
        let merchant = stack.new_merchant().await;
        let live = stack.new_key(&merchant.id, json!({"mode": "live"})).await;
        vec![(live.payment_request(&unique(), &payment()), 409, "processor_not_configured", vec![])]
    })
    .await;
}
