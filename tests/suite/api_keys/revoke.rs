//! `revoke-api-key`, invoked directly.

use futures::future::join;
use serde_json::{Value, json};
use spillway_tests::clock::{in_seconds, now};
use spillway_tests::store_proxy::Matching;
use spillway_tests::table::Item;
use spillway_tests::{Client, Deadline, Merchant, Options, Stack, eventually, unique};

/// Longer than any test.
const HOUR_SECONDS: i64 = 3600;
/// Lifetime of a key that a test uses and then sees end.
const LIFETIME_SECONDS: i64 = 15;

/// Issues a key; returns its id and a client with it.
async fn issue(stack: &Stack, merchant: &Merchant, terms: Value) -> (String, Client) {
    let mut request = json!({"merchant": merchant.id, "mode": "test", "reference": unique(),
        "scopes": ["payments:write", "payments:read", "balance:read"], "expires_at": null});
    for (name, value) in terms.as_object().unwrap() {
        request[name] = value.clone();
    }
    let key = stack.invoke("issue-api-key", &request).await.unwrap();
    assert!(key["revoked_at"].is_null(), "{key}");
    (key["id"].as_str().unwrap().to_owned(), stack.client(key["secret"].as_str().unwrap()))
}

async fn revoke(stack: &Stack, merchant: &Merchant, key: &str, at: Option<&str>) -> Value {
    let request = json!({"merchant": merchant.id, "key": key, "at": at});
    stack.invoke("revoke-api-key", &request).await.unwrap()
}

/// Waits until the key is refused, which must not happen before `at`.
async fn ends_at(client: &Client, at: &str) {
    eventually("the key is refused", Deadline::LATER, async || {
        let answer = client.get("/balance").await;
        if answer.status == 200 { Err(answer.text) } else { Ok(answer.expect_problem(401, "unauthorized")) }
    })
    .await;
    assert!(now().as_str() >= at, "it was refused before {at}");
}

/// The items of a key: by its id, and by its hash.
async fn items(stack: &Stack, merchant: &Merchant, key: &str) -> [Item; 2] {
    let by_id = stack.table().item(&format!("{}#keys", merchant.id), key).await.unwrap();
    let hash = by_id["sha256"].as_str().unwrap();
    let by_hash = stack.table().item(&format!("key#{hash}"), "key").await.unwrap();
    [by_id, by_hash]
}

#[tokio::test]
async fn effective_at_follows_the_longest_cache_lifetime() {
    let stack = Stack::start(Options::new().knob("CACHE_SECONDS", 300)).await;
    let merchant = stack.new_merchant().await;
    // 300 s in the cache and 10 s for the authorizer, beside the write.
    let before = in_seconds(310);
    let (key, _) = issue(&stack, &merchant, json!({})).await;
    let revoked = revoke(&stack, &merchant, &key, None).await;
    assert!(revoked["effective_at"].as_str() > Some(&before), "{revoked}");
    // A revocation later than every cache's lifetime takes effect at its own time.
    let (key, _) = issue(&stack, &merchant, json!({})).await;
    let at = in_seconds(HOUR_SECONDS);
    let revoked = revoke(&stack, &merchant, &key, Some(&at)).await;
    assert_eq!((&revoked["revoked_at"], &revoked["effective_at"]), (&json!(at), &json!(at)));
}

#[tokio::test]
async fn a_cached_key_ends_exactly_at_its_revocation_time() {
    let stack = Stack::start(Options::new().knob("CACHE_SECONDS", 300)).await;
    let merchant = stack.new_merchant().await;
    let (first, old) = issue(&stack, &merchant, json!({})).await;
    let (_, new) = issue(&stack, &merchant, json!({})).await;
    let at = in_seconds(LIFETIME_SECONDS);
    let revoked = revoke(&stack, &merchant, &first, Some(&at)).await;
    assert_eq!(revoked["revoked_at"], at);
    for client in [&old, &new] {
        client.get("/balance").await.expect(200);
    }
    ends_at(&old, &at).await;
    old.expect_refused().await;
    new.get("/balance").await.expect(200);
}

#[tokio::test]
async fn the_authorizer_uses_the_earlier_of_expiry_and_revocation() {
    let stack = Stack::start(Options::new()).await;
    let merchant = stack.new_merchant().await;
    let (late, early) = (in_seconds(2 * HOUR_SECONDS), in_seconds(HOUR_SECONDS));
    let ask = async |client: &Client| {
        let headers = json!({"Authorization": format!("Bearer {}", client.secret())});
        let event = json!({"type": "REQUEST", "headers": headers,
            "methodArn": "arn:aws:execute-api:us-east-1:000000000000:api/v1/GET/v1/balance"});
        stack.invoke("authenticate", &event).await
    };
    for (expires_at, at) in [(Value::Null, &early), (json!(late), &early), (json!(early), &late)] {
        let (key, client) = issue(&stack, &merchant, json!({"expires_at": expires_at})).await;
        revoke(&stack, &merchant, &key, Some(at)).await;
        assert_eq!(ask(&client).await.unwrap()["context"]["expires_at"], early);
    }
    let (key, client) = issue(&stack, &merchant, json!({})).await;
    revoke(&stack, &merchant, &key, None).await;
    assert_eq!(ask(&client).await.unwrap_err()["errorMessage"], "Unauthorized");
}

#[tokio::test]
async fn a_revocation_can_move_earlier_but_not_later() {
    let stack = Stack::start(Options::new().knob("CACHE_SECONDS", 0)).await;
    let merchant = stack.new_merchant().await;
    let (key, client) = issue(&stack, &merchant, json!({})).await;
    let (at, later) = (in_seconds(HOUR_SECONDS), in_seconds(2 * HOUR_SECONDS));
    let revoked = revoke(&stack, &merchant, &key, Some(&at)).await;
    let stored = items(&stack, &merchant, &key).await;
    for at in [&at, &later] {
        assert_eq!(revoke(&stack, &merchant, &key, Some(at)).await, revoked);
    }
    assert_eq!(items(&stack, &merchant, &key).await, stored);
    client.get("/balance").await.expect(200);

    let at_once = revoke(&stack, &merchant, &key, None).await;
    assert!(at_once["revoked_at"].as_str() < Some(&at), "{at_once}");
    client.expect_refused().await;
    let stored = items(&stack, &merchant, &key).await;
    for at in [None, Some(at.as_str()), at_once["revoked_at"].as_str()] {
        assert_eq!(revoke(&stack, &merchant, &key, at).await, at_once);
    }
    assert_eq!(items(&stack, &merchant, &key).await, stored);
}

#[tokio::test]
async fn a_delayed_write_does_not_postpone_an_earlier_revocation() {
    let stack = Stack::start(Options::new().store_proxy()).await;
    let merchant = stack.new_merchant().await;
    let (key, _) = issue(&stack, &merchant, json!({})).await;
    let (soon, late) = (in_seconds(HOUR_SECONDS), in_seconds(2 * HOUR_SECONDS));
    let held = stack.store_proxy().hold(1, Matching::operation("TransactWriteItems").with(&late));
    let earlier = async {
        held.reached(1).await;
        let revoked = revoke(&stack, &merchant, &key, Some(&soon)).await;
        held.forward();
        revoked
    };
    let (overtaken, earlier) = join(revoke(&stack, &merchant, &key, Some(&late)), earlier).await;
    assert_eq!(earlier["revoked_at"], soon);
    assert_eq!(overtaken, earlier);
    for item in items(&stack, &merchant, &key).await {
        assert_eq!(item["revocation"]["revoked_at"], soon);
    }
}

#[tokio::test]
async fn a_revocation_does_not_create_a_deleted_key() {
    let stack = Stack::start(Options::new().store_proxy()).await;
    let merchant = stack.new_merchant().await;
    let (key, _) = issue(&stack, &merchant, json!({})).await;
    let [by_id, by_hash] = items(&stack, &merchant, &key).await;
    let held = stack.store_proxy().hold(1, Matching::operation("TransactWriteItems").with("revocation"));
    let vanish = async {
        held.reached(1).await;
        for item in [&by_id, &by_hash] {
            let key = json!({"pk": {"S": item["pk"]}, "sk": {"S": item["sk"]}});
            stack.table().call("DeleteItem", json!({"Key": key})).await;
        }
        held.forward();
    };
    let request = json!({"merchant": merchant.id, "key": key});
    let (error, ()) = join(stack.invoke("revoke-api-key", &request), vanish).await;
    assert_eq!(error.unwrap_err()["errorMessage"], format!("There is no key {key} of {}.", merchant.id));
    for item in [by_id, by_hash] {
        let [pk, sk] = ["pk", "sk"].map(|name| item[name].as_str().unwrap());
        assert_eq!(stack.table().item(pk, sk).await, None);
    }
}

#[tokio::test]
async fn another_merchants_key_is_not_found() {
    let stack = Stack::start(Options::new().knob("CACHE_SECONDS", 0)).await;
    let (merchant, other) = (stack.new_merchant().await, stack.new_merchant().await);
    let (key, client) = issue(&stack, &merchant, json!({})).await;
    let stored = stack.table().items().await;
    let missing = "key_00000000000000000000000000";
    let nobody = "mer_00000000000000000000000000";
    for (merchant, key) in [(other.id.as_str(), key.as_str()), (&merchant.id, missing), (nobody, &key)] {
        let request = json!({"merchant": merchant, "key": key});
        let error = stack.invoke("revoke-api-key", &request).await.unwrap_err();
        assert_eq!(error["errorMessage"], format!("There is no key {key} of {merchant}."));
    }
    for wrong in [
        json!({}),
        json!({"merchant": merchant.id}),
        json!({"merchant": merchant.id, "key": client.secret()}),
        json!({"merchant": merchant.id, "key": key, "at": "tomorrow"}),
        json!({"merchant": merchant.id, "key": key, "surprise": 1}),
    ] {
        let error = stack.invoke("revoke-api-key", &wrong).await.unwrap_err();
        assert!(!error["errorMessage"].as_str().unwrap().is_empty(), "{wrong} gave {error}");
    }
    assert_eq!(stack.table().items().await, stored);
    client.get("/balance").await.expect(200);
}

#[tokio::test]
async fn a_revoked_keys_reference_can_not_be_reused() {
    let stack = Stack::start(Options::new()).await;
    let merchant = stack.new_merchant().await;
    for at in [None, Some(in_seconds(HOUR_SECONDS))] {
        let reference = json!({"reference": unique()});
        let (key, _) = issue(&stack, &merchant, reference.clone()).await;
        revoke(&stack, &merchant, &key, at.as_deref()).await;
        let again = json!({"merchant": merchant.id, "mode": "test", "reference": reference["reference"],
            "scopes": ["payments:write", "payments:read", "balance:read"], "expires_at": null});
        let error = stack.invoke("issue-api-key", &again).await.unwrap_err();
        let message = "The reference names a key that was revoked; use another reference.";
        assert_eq!(error["errorMessage"], message);
    }
}

#[tokio::test]
async fn a_stack_replaces_its_revoked_sandbox_key_at_start() {
    let mut stack = Stack::start(Options::new()).await;
    let (merchant, old) = (stack.developers_merchant().to_owned(), stack.developers_key().to_owned());
    let keys = stack.table().partition(&format!("{merchant}#keys")).await;
    let request = json!({"merchant": merchant, "key": keys[0]["sk"]});
    stack.invoke("revoke-api-key", &request).await.unwrap();
    let fees = json!({"merchant": merchant, "currencies": {"USD": {"fee_basis_points": 100, "fee_fixed": 0}}});
    stack.invoke("update-merchant", &fees).await.unwrap();
    stack.kill().await;
    stack.restart().await;
    assert_eq!(stack.developers_merchant(), merchant);
    assert_ne!(stack.developers_key(), old);
    stack.client(stack.developers_key()).get("/balance").await.expect(200);
    stack.client(&old).expect_refused().await;
}

#[tokio::test]
async fn answers_and_logs_hold_no_secret() {
    let stack = Stack::start(Options::new().keep_lines().knob("LOG_LEVEL", "trace")).await;
    let merchant = stack.new_merchant().await;
    let (key, client) = issue(&stack, &merchant, json!({})).await;
    let answer = revoke(&stack, &merchant, &key, None).await.to_string();
    // A secret given instead of the key's id must not be logged either.
    let mistaken = json!({"merchant": merchant.id, "key": client.secret()});
    let answer = answer + &stack.invoke("revoke-api-key", &mistaken).await.unwrap_err().to_string();
    let [by_id, _] = items(&stack, &merchant, &key).await;
    let log = eventually("revoke-api-key has written its lines", Deadline::SOON, async || {
        let printed = stack.printed("revoke-api-key").concat();
        if printed.lines().filter(|line| line.contains("invocation")).count() >= 2 { Ok(printed) } else { Err(printed) }
    })
    .await;
    let log = log + &stack.all_printed() + &stack.log();
    for secret in [client.secret(), by_id["sha256"].as_str().unwrap()] {
        assert!(!answer.contains(secret) && !log.contains(secret), "{secret}");
    }
}
