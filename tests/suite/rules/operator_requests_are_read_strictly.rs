//! Operator requests are parsed as strictly as HTTP bodies. (These tests have their own stacks: an emulator of AWS may
//! parse a payload, and drop repeated members, before a function gets it.)

use serde_json::{Value, json};
use spillway_tests::clock::at_the_ends_of_the_calendar;
use spillway_tests::operator::OF_OPERATORS;
use spillway_tests::{Options, Stack, terms, unique};

/// The error message of a refused payload.
async fn refusal(stack: &Stack, function: &str, payload: &str) -> String {
    let error = stack.invoke_with(function, payload).await.expect_err(payload);
    error["errorMessage"].as_str().unwrap().to_owned()
}

/// Fails the test unless the function refuses the payload with exactly these faults, in order.
async fn refused(stack: &Stack, function: &str, payload: &str, faults: &[&str]) {
    let sentence = refusal(stack, function, payload).await;
    let start = "The request has faults, and nothing was done. Correct it and send it again: ";
    assert_eq!(sentence, format!("{start}{}.", faults.join("; ")), "{function} {payload}");
}

const TWICE: &str = "is repeated";
const UNKNOWN: &str = "is not a field of this request";

#[tokio::test]
async fn create_merchant_refuses_repeated_and_unknown_members() {
    let stack = Stack::start(Options::new()).await;
    let reference = unique();
    let with = |currencies: &str, more: &str| {
        format!(
            r#"{{"operator": "jroe", "reference": "{reference}", "name": "Acme", "plan": "high", "currencies": {currencies},
            "settlement_delay_days": 2, "shards": 4{more}}}"#
        )
    };
    let price = r#"{"fee_basis_points": 290, "fee_fixed": 30}"#;
    let free = r#"{"fee_basis_points": 0, "fee_fixed": 0}"#;
    let usd = format!("/currencies/USD {TWICE}");
    for (currencies, more, faults) in [
        (format!(r#"{{"USD": {price}, "USD": {free}}}"#), "", vec![usd.clone()]),
        (format!(r#"{{"USD": {price}, "\u0055SD": {free}}}"#), "", vec![usd.clone()]),
        (
            r#"{"USD": {"fee_basis_points": 290, "fee_fixed": 30, "fee_fixed": 0}}"#.to_owned(),
            "",
            vec![format!("/currencies/USD/fee_fixed {TWICE}")],
        ),
        (
            r#"{"USD": {"fee_basis_points": 290, "fee_fixed": 30, "fee_max": 500}}"#.to_owned(),
            "",
            vec![format!("/currencies/USD/fee_max {UNKNOWN}")],
        ),
        (
            format!(r#"{{"USD": {price}, "USD": {free}, "EUR": {{"fee_fixed": 1.5, "fee_max": 500}}, "JPY": 3}}"#),
            r#", "shards": 0, "surprise": {"a": 1, "a": 2}"#,
            vec![
                usd,
                format!("/shards {TWICE}"),
                format!("/surprise/a {TWICE}"),
                "/currencies/EUR/fee_basis_points is required".to_owned(),
                "/currencies/EUR/fee_fixed must be a whole number from 0 to 999999999999, without fraction or exponent"
                    .to_owned(),
                format!("/currencies/EUR/fee_max {UNKNOWN}"),
                "/currencies/JPY must be an object, not a whole number".to_owned(),
                format!("/surprise {UNKNOWN}"),
            ],
        ),
    ] {
        let faults: Vec<&str> = faults.iter().map(String::as_str).collect();
        refused(&stack, "create-merchant", &with(&currencies, more), &faults).await;
    }
    // None of them used the reference.
    let merchant = stack.invoke_with("create-merchant", &with(&format!(r#"{{"USD": {price}}}"#), "")).await.unwrap();
    assert_eq!(merchant["currencies"], json!({"USD": {"fee_basis_points": 290, "fee_fixed": 30}}));
}

#[tokio::test]
async fn issue_api_key_refuses_repeated_and_unknown_members() {
    let stack = Stack::start(Options::new()).await;
    let merchant = stack.new_merchant().await;
    let reference = unique();
    let with = |scopes: &str| {
        let (operator, merchant) = ("jroe", &merchant.id);
        format!(
            r#"{{"operator": "{operator}", "merchant": "{merchant}", "mode": "test", "reference": "{reference}", {scopes}}}"#
        )
    };
    let twice = r#""scopes": ["balance:read"], "scopes": ["payments:write", "payments:read"]"#;
    refused(&stack, "issue-api-key", &with(twice), &[&format!("/scopes {TWICE}")]).await;
    let wrong = r#""scopes": ["balance:read", 7, "balance:write"], "mode": "live", "expires": "2030-01-01T00:00:00Z""#;
    let scopes = format!("must be one of {}", terms::scopes().join(", "));
    let faults = [
        &format!("/mode {TWICE}"),
        "/scopes/1 must be a string, not a whole number",
        &format!("/scopes/2 {scopes}"),
        &format!("/expires {UNKNOWN}"),
    ];
    refused(&stack, "issue-api-key", &with(wrong), &faults).await;
    let key = stack.invoke_with("issue-api-key", &with(r#""scopes": ["balance:read"]"#)).await.unwrap();
    assert!(key["secret"].as_str().is_some_and(|secret| secret.starts_with("sk_test_")), "{key}");
}

#[tokio::test]
async fn update_merchant_refuses_repeated_and_unknown_members() {
    let stack = Stack::start(Options::new()).await;
    let merchant = stack.new_merchant().await;
    let with = |more: &str| format!(r#"{{"operator": "jroe", "merchant": "{}", {more}}}"#, merchant.id);
    let twice = format!("/suspended {TWICE}");
    refused(&stack, "update-merchant", &with(r#""suspended": true, "suspended": false"#), &[&twice]).await;
    let prices = r#""currencies": {"USD": {"fee_basis_points": 1, "fee_fixed": 1, "fee_max": 1}}, "suspend": true"#;
    let faults = [&format!("/currencies/USD/fee_max {UNKNOWN}"), &format!("/suspend {UNKNOWN}")];
    refused(&stack, "update-merchant", &with(prices), &faults.map(String::as_str)).await;
    // Nothing has changed: the version is still 1.
    let same = stack.invoke_with("update-merchant", &with(r#""suspended": false"#)).await.unwrap();
    assert_eq!((&same["version"], &same["suspended"]), (&json!(1), &json!(false)), "{same}");
    assert_eq!(same["currencies"]["USD"], json!({"fee_basis_points": 290, "fee_fixed": 30}));
}

#[tokio::test]
async fn revoke_api_key_refuses_repeated_and_unknown_members() {
    let stack = Stack::start(Options::new()).await;
    let merchant = stack.new_merchant().await;
    let (key, client) = stack.try_issue(&merchant.id, &json!({})).await.unwrap();
    let with =
        |more: &str| format!(r#"{{"operator": "jroe", "merchant": "{}", "key": {}, {more}}}"#, merchant.id, key["id"]);
    let twice = r#""at": "2035-01-01T00:00:00Z", "at": null, "on": "2035-01-01T00:00:00Z""#;
    let faults = [&format!("/at {TWICE}"), &format!("/on {UNKNOWN}")];
    refused(&stack, "revoke-api-key", &with(twice), &faults.map(String::as_str)).await;
    client.get("/balance").await.expect(200);
}

#[tokio::test]
async fn redeliver_event_refuses_unclear_requests() {
    let stack = Stack::start(Options::new()).await;
    let merchant = stack.new_merchant().await;
    let (event, endpoint) = (format!("evt_{:026}", 0), format!("we_{:026}", 0));
    let with = |more: &str| format!(r#"{{"operator": "tests", "merchant": "{}", "mode": "test"{more}}}"#, merchant.id);
    let either = "it must have either event, or endpoint and since";
    for more in [
        String::new(),
        format!(r#", "endpoint": "{endpoint}""#),
        r#", "since": "2026-01-31T00:00:00Z""#.to_owned(),
        format!(r#", "event": "{event}", "endpoint": "{endpoint}", "since": "2026-01-31T00:00:00Z""#),
    ] {
        refused(&stack, "redeliver-event", &with(&more), &[either]).await;
    }
    let wrong = [
        &format!("/event {TWICE}"),
        "/event must be the id of an event, evt_ and 26 characters",
        either,
        &format!("/all {UNKNOWN}"),
    ];
    let more = format!(r#", "event": "{endpoint}", "event": "{event}", "all": true"#);
    refused(&stack, "redeliver-event", &with(&more), &wrong).await;
}

#[tokio::test]
async fn every_request_names_its_operator() {
    let stack = Stack::start(Options::new()).await;
    for function in OF_OPERATORS {
        let missing = refusal(&stack, function, "{}").await;
        assert!(missing.contains("again: /operator is required"), "{function}: {missing}");
        let wrong = refusal(&stack, function, r#"{"operator": "jane.roe@example.com"}"#).await;
        assert!(wrong.contains("again: /operator must be an account name"), "{function}: {wrong}");
        assert!(!wrong.contains("jane"), "{wrong}");
    }
}

#[tokio::test]
async fn a_payload_that_is_no_request_gets_a_short_refusal() {
    let stack = Stack::start(Options::new()).await;
    let unknown: Vec<String> = (0..4000).map(|n| format!("\"unknown{n}\":1")).collect();
    let many = format!("{{{}}}", unknown.join(","));
    let large = json!({"reference": "x".repeat(70_000)}).to_string();
    for function in OF_OPERATORS {
        for (payload, start) in [
            ("42", "The request must be a JSON object, not a whole number"),
            ("null", "The request must be a JSON object, not null"),
            ("[]", "The request must be a JSON object, not an array"),
            (&large, "The request may have at most 65536 bytes"),
            (&many, "The request has faults, and nothing was done"),
        ] {
            let sentence = refusal(&stack, function, payload).await;
            assert!(sentence.starts_with(start), "{function} {payload:.40}: {sentence:.200}");
            assert!(sentence.len() < 24_000 && sentence.ends_with('.'), "{function} {payload:.40}: {sentence}");
        }
    }
}

#[tokio::test]
async fn times_outside_the_calendar_are_refused() {
    let stack = Stack::start(Options::new()).await;
    let merchant = stack.new_merchant().await;
    let (key, _) = stack.try_issue(&merchant.id, &json!({})).await.unwrap();
    let fault = "must be an RFC 3339 time such as 2026-01-31T12:00:00.000Z, of the years 0001 to 9999 in UTC";
    let message = |error: &Value| error["errorMessage"].as_str().unwrap().to_owned();
    let refused = |place: &str| {
        format!("The request has faults, and nothing was done. Correct it and send it again: {place} {fault}.")
    };
    for (number, (time, utc)) in at_the_ends_of_the_calendar().into_iter().enumerate() {
        let request: Value = json!({"merchant": merchant.id, "mode": "test", "reference": format!("key {number}"),
            "scopes": ["balance:read"], "expires_at": time});
        let issued = stack.invoke("issue-api-key", &request).await;
        match &utc {
            Some(utc) if utc.starts_with("9999") => assert_eq!(issued.unwrap()["expires_at"], json!(utc), "{time}"),
            Some(_) => assert_eq!(message(&issued.unwrap_err()), "expires_at has passed.", "{time}"),
            None => assert_eq!(message(&issued.unwrap_err()), refused("/expires_at"), "{time}"),
        }
        let request = json!({"merchant": merchant.id, "key": key["id"], "at": time});
        let revoked = stack.invoke("revoke-api-key", &request).await;
        match &utc {
            // A past time means now.
            Some(_) => assert!(revoked.unwrap()["revoked_at"].as_str().is_some(), "{time}"),
            None => assert_eq!(message(&revoked.unwrap_err()), refused("/at"), "{time}"),
        }
    }
}
