//! `issue-api-key`, invoked directly.

use serde_json::{Value, json};
use spillway_tests::{Options, Stack, unique};

#[tokio::test]
async fn a_secret_is_returned_once_and_never_stored() {
    let stack = Stack::start(Options::new()).await;
    let merchant = stack.new_merchant().await;
    for mode in ["test", "live"] {
        let request = json!({"merchant": merchant.id, "mode": mode, "reference": "first",
            "scopes": ["payments:read"], "expires_at": null});
        let mut key = stack.invoke("issue-api-key", &request).await.unwrap();
        let secret = key["secret"].as_str().unwrap().to_owned();
        assert!(secret.starts_with(&format!("sk_{mode}_")), "{secret}");
        assert_eq!((&key["object"], &key["mode"]), (&json!("api_key"), &json!(mode)));
        let mut again = stack.invoke("issue-api-key", &request).await.unwrap();
        assert!(again["secret"].is_null(), "{again}");
        for answer in [&mut key, &mut again] {
            answer.as_object_mut().unwrap().remove("secret");
        }
        assert_eq!(key, again);
        let table = Value::from_iter(stack.table().items().await).to_string();
        assert!(!table.contains(&secret));
    }
}

#[tokio::test]
async fn an_invalid_request_is_refused_and_stores_nothing() {
    let stack = Stack::start(Options::new()).await;
    let merchant = stack.new_merchant().await;
    let with = |field: &str, value: Value| {
        let mut request = json!({"merchant": merchant.id, "mode": "test", "reference": unique(),
            "scopes": ["payments:read"], "expires_at": null});
        request[field] = value;
        request
    };
    let wrong = [
        json!({}),
        with("merchant", json!("mer_00000000000000000000000000")),
        with("merchant", json!("nobody")),
        with("mode", json!("sandbox")),
        with("scopes", json!(["payments:everything"])),
        with("scopes", json!([])),
        with("expires_at", json!("tomorrow")),
        with("expires_at", json!("2020-01-01T00:00:00Z")),
        with("surprise", json!(1)),
    ];
    let stored = stack.table().items().await.len();
    for request in wrong {
        let error = stack.invoke("issue-api-key", &request).await.unwrap_err();
        assert!(!error["errorMessage"].as_str().unwrap().is_empty(), "{request} gave {error}");
    }
    assert_eq!(stack.table().items().await.len(), stored);
}
