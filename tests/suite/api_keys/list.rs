//! `list-api-keys`, invoked directly.

use serde_json::{Value, json};
use spillway_tests::clock::in_seconds;
use spillway_tests::{Merchant, Options, Stack};

/// Longer than any test.
const HOUR_SECONDS: i64 = 3600;

/// Issues a key with this reference; returns the answer.
async fn issue(stack: &Stack, merchant: &Merchant, reference: &str, expires_at: Option<String>) -> Value {
    let request = json!({"operator": "jroe", "merchant": merchant.id, "mode": "live", "reference": reference,
        "scopes": ["payments:read"], "expires_at": expires_at});
    stack.invoke("issue-api-key", &request).await.unwrap()
}

async fn page(stack: &Stack, merchant: &str, fields: Value) -> Result<Value, Value> {
    let mut request = fields;
    request["merchant"] = json!(merchant);
    stack.invoke("list-api-keys", &request).await
}

#[tokio::test]
async fn a_listed_key_has_its_state_and_operators_but_no_secret() {
    let stack = Stack::start(Options::new()).await;
    let merchant = stack.new_merchant().await;
    let revoked = issue(&stack, &merchant, "revoked", None).await;
    let ending = issue(&stack, &merchant, "ending", Some(in_seconds(HOUR_SECONDS))).await;
    let expired = issue(&stack, &merchant, "expired", Some(in_seconds(HOUR_SECONDS))).await;
    let past = json!({":past": {"S": "2026-01-31T12:00:00.000Z"}});
    let keys = format!("{}#keys", merchant.id);
    stack.table().update(&keys, expired["id"].as_str().unwrap(), "SET valid_until = :past", past).await;
    for (key, at) in [(&revoked, None), (&ending, Some(in_seconds(HOUR_SECONDS)))] {
        let request = json!({"operator": "ci/rotate", "merchant": merchant.id, "key": key["id"], "at": at});
        stack.invoke("revoke-api-key", &request).await.unwrap();
    }
    let listed = page(&stack, &merchant.id, json!({})).await.unwrap();
    let shown = listed["data"].as_array().unwrap();
    let told = |key: &Value| {
        ["id", "reference", "mode", "state", "issued_by", "revoked_by"].map(|name| key[name].clone()).to_vec()
    };
    // The last one is the key of the test's own client.
    let told: Vec<_> = shown[..3].iter().map(told).collect();
    let expected = json!([
        [expired["id"], "expired", "live", "expired", "jroe", null],
        [ending["id"], "ending", "live", "active", "jroe", "ci/rotate"],
        [revoked["id"], "revoked", "live", "revoked", "jroe", "ci/rotate"],
    ]);
    assert_eq!((json!(told), shown.len()), (expected, 4), "{listed}");
    let stored = stack.table().partition(&keys).await;
    let hashes = stored.iter().map(|key| key["sha256"].as_str().unwrap());
    let secrets = [&revoked, &ending, &expired].map(|key| key["secret"].as_str().unwrap());
    for secret in hashes.chain(secrets) {
        assert!(!listed.to_string().contains(secret), "{secret}: {listed}");
    }
}

#[tokio::test]
async fn pages_contain_each_key_of_one_merchant_newest_first() {
    let stack = Stack::start(Options::new()).await;
    let (merchant, other) = (stack.new_merchant().await, stack.new_merchant().await);
    let mut issued = Vec::new();
    for number in 0..4 {
        issued.insert(0, issue(&stack, &merchant, &format!("key {number}"), None).await["id"].clone());
    }
    let first = page(&stack, &merchant.id, json!({"limit": 3})).await.unwrap();
    let last = page(&stack, &merchant.id, json!({"limit": 3, "cursor": first["next_cursor"]})).await.unwrap();
    let ids = |page: &Value| page["data"].as_array().unwrap().iter().map(|key| key["id"].clone()).collect::<Vec<_>>();
    assert_eq!((ids(&first), first["has_more"].clone()), (issued[..3].to_vec(), json!(true)));
    // The oldest one is the key of the test's own client.
    assert_eq!(
        (ids(&last)[0].clone(), ids(&last).len(), last["has_more"].clone()),
        (issued[3].clone(), 2, json!(false))
    );
    let refused = page(&stack, &other.id, json!({"cursor": first["next_cursor"]})).await.unwrap_err();
    let told = "again: /cursor must be the next_cursor of a page of the same list.";
    assert!(refused["errorMessage"].as_str().unwrap().ends_with(told), "{refused}");
}

#[tokio::test]
async fn an_unknown_merchant_is_refused() {
    let stack = Stack::start(Options::new()).await;
    let nobody = "mer_00000000000000000000000000";
    for list in ["list-api-keys", "list-operator-actions"] {
        let error = stack.invoke(list, &json!({"merchant": nobody})).await.unwrap_err();
        assert_eq!(error["errorMessage"], format!("There is no merchant {nobody}."), "{list}");
    }
}

#[tokio::test]
async fn a_key_of_version_0_1_0_is_listed_without_operators() {
    let stack = Stack::start(Options::new()).await;
    let merchant = stack.new_merchant().await;
    let keys = format!("{}#keys", merchant.id);
    let [key] = &stack.table().partition(&keys).await[..] else { panic!("one key is expected") };
    let old = json!({"Key": {"pk": {"S": keys}, "sk": {"S": key["sk"]}}, "UpdateExpression": "REMOVE #reference, issued_by",
        "ExpressionAttributeNames": {"#reference": "reference"}});
    stack.table().call("UpdateItem", old).await;
    let listed = page(&stack, &merchant.id, json!({})).await.unwrap();
    let shown = ["id", "reference", "issued_by", "revoked_by"].map(|name| listed["data"][0][name].clone());
    assert_eq!(shown, [key["sk"].clone(), Value::Null, Value::Null, Value::Null], "{listed}");
}
