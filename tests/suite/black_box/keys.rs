//! API keys: issued, used side by side, expired and revoked.

use serde_json::{Value, json};
use spillway_tests::clock::{in_seconds, now};
use spillway_tests::{Deadline, Target, eventually};

/// Lifetime of a key that a test uses and then sees expire.
const LIFETIME_SECONDS: i64 = 15;

#[tokio::test]
async fn several_keys_of_a_merchant_work_at_once() {
    let target = Target::start().await;
    let merchant = target.new_merchant().await;
    let payment = merchant.client.paid(1250, "USD").await;
    let other = target.new_key(&merchant.id, json!({})).await;
    assert_ne!(other.secret(), merchant.client.secret());
    assert_eq!(other.payment(payment["id"].as_str().unwrap()).await, payment);
}

#[tokio::test]
async fn a_cached_key_expires_on_time() {
    let target = Target::start().await;
    let merchant = target.new_merchant().await;
    let client = target.new_key(&merchant.id, json!({"expires_at": in_seconds(LIFETIME_SECONDS)})).await;
    client.get("/balance").await.expect(200);
    let answer = eventually("the key has expired", Deadline::LATER, async || {
        let answer = client.get("/balance").await;
        if answer.status == 401 { Ok(answer.expect_problem(401, "unauthorized")) } else { Err(answer.text) }
    })
    .await;
    // API Gateway renames this header if a function sets it.
    let challenges = ["www-authenticate", "x-amzn-remapped-www-authenticate"].map(|name| answer.header(name));
    assert!(challenges.iter().any(|one| one.starts_with("Bearer realm=\"spillway\"")), "{:?}", answer.headers);
}

#[tokio::test]
async fn a_revoked_key_alone_is_refused_from_effective_at_on() {
    let target = Target::start().await;
    let (merchant, other) = (target.new_merchant().await, target.new_merchant().await);
    let (key, client) = target.try_issue(&merchant.id, &json!({})).await.unwrap();
    client.get("/balance").await.expect(200);
    let revocation = json!({"merchant": merchant.id, "key": key["id"], "at": null});
    let revoked = target.invoke("revoke-api-key", &revocation).await.unwrap();
    assert_eq!((&revoked["id"], &revoked["object"]), (&key["id"], &json!("api_key")), "{revoked}");
    let effective_at = revoked["effective_at"].as_str().unwrap();
    eventually("the key is refused", Deadline::LATER, async || {
        let (sent_at, answer) = (now(), client.get("/balance").await);
        if answer.status == 401 {
            return Ok(());
        }
        assert!(sent_at.as_str() < effective_at, "accepted, though sent at {sent_at}: {revoked}");
        Err(answer.text)
    })
    .await;
    client.expect_refused().await;
    for client in [&merchant.client, &other.client] {
        client.get("/balance").await.expect(200);
    }
    assert_eq!(target.invoke("revoke-api-key", &revocation).await.unwrap(), revoked);
}

#[tokio::test]
async fn a_reference_issues_one_key_and_returns_its_secret_once() {
    let target = Target::start().await;
    let merchant = target.new_merchant().await;
    let reference = json!({"reference": "first"});
    let (mut key, client) = target.try_issue(&merchant.id, &reference).await.unwrap();
    assert!(client.secret().starts_with("sk_test_") && key["id"].as_str().unwrap().starts_with("key_"), "{key}");
    let again = json!({"merchant": merchant.id, "mode": "test", "reference": "first", "scopes": key["scopes"],
        "expires_at": null});
    let again: Value = target.invoke("issue-api-key", &again).await.unwrap();
    key.as_object_mut().unwrap().remove("secret");
    assert_eq!(again, key);
    client.get("/balance").await.expect(200);
    let (other, _) = target.try_issue(&merchant.id, &json!({"reference": "second"})).await.unwrap();
    assert_ne!(other["id"], key["id"]);
}
