//! The secrets of endpoints, and the signing keys from which they are derived.

use std::fs;

use super::*;

/// Waits end by a message's delay or by the `due` index, so the tests also run the sweep.
fn quick() -> Options {
    Options::new().knob("FIRST_DUE_SECONDS", 1).knob("CLAIM_SECONDS", 1)
}

/// 64 characters.
fn key(letter: &str) -> Value {
    json!(letter.repeat(64))
}

/// The fingerprint of the key of the endpoint's newest secret.
async fn newest_key(stack: &Stack, merchant: &Merchant, id: &str) -> Value {
    stored(stack, merchant, id).await["secrets"][0]["key"].clone()
}

async fn rotated(client: &Client, id: &str) -> String {
    text(&client.webhook_endpoint_action(id, "rotate-secret", &unique()).send().await.expect(200).body, "secret")
}

/// Waits until a function has logged that it lacks a key.
async fn a_key_is_missed(stack: &Stack) {
    eventually("a key is missed", Deadline::SOON, async || {
        stack.run_due().await;
        let log = stack.log();
        if log.contains("no signing key has the fingerprint") { Ok(()) } else { Err(log) }
    })
    .await;
}

#[tokio::test]
async fn no_stored_byte_holds_a_secret() {
    let stack = Stack::start(quick()).await;
    let merchant = stack.new_merchant().await;
    let receiver = Receiver::start().await;
    let created = merchant.client.create_webhook_endpoint(receiver.url(), &["*"]).await;
    let id = text(&created, "id");
    let mut secrets = vec![text(&created, "secret")];
    for _ in 0..2 {
        secrets.push(rotated(&merchant.client, &id).await);
    }
    merchant.client.webhook_endpoint_change(&id, 3, &json!({"event_types": ["payment.*"]})).send().await.expect(200);
    merchant.client.paid(1250, "USD").await;
    let attempts = stack.attempts_at_least(&receiver, 1, Deadline::SOON).await;
    for secret in &secrets {
        attempts[0].verify(secret).unwrap();
    }

    // The table with its stream, and the queues. SQLite can break a text at the end of a page, so the items are searched
    // too.
    let mut stored = serde_json::to_vec(&stack.table().items().await).unwrap();
    for file in fs::read_dir(stack.data().join("state")).unwrap().map(|file| file.unwrap().path()) {
        if file.file_name().unwrap() != "secrets.json" {
            stored.extend(fs::read(file).unwrap());
        }
    }
    let count = |text: &str| stored.windows(text.len()).filter(|window| *window == text.as_bytes()).count();
    // Its item, and the new and old images of its four versions.
    assert!(count(&id) > 8, "{} times", count(&id));
    for secret in &secrets {
        let text = secret.strip_prefix("whsec_").unwrap();
        assert_eq!((text.len(), count(text)), (32, 0));
    }
    let keys = stack.webhook_keys().get().await;
    assert_eq!(count(keys["1"].as_str().unwrap()), 0);
}

#[tokio::test]
async fn new_secrets_come_from_the_current_key() {
    let stack = Stack::start(quick()).await;
    let merchant = stack.new_merchant().await;
    let (first, second) = (Receiver::start().await, Receiver::start().await);
    let old = merchant.client.create_webhook_endpoint(first.url(), &["payment.*"]).await;
    let (id, old_secret) = (text(&old, "id"), text(&old, "secret"));
    let old_key = newest_key(&stack, &merchant, &id).await;
    merchant.client.paid(1250, "USD").await;
    stack.attempts_at_least(&first, 1, Deadline::SOON).await[0].verify(&old_secret).unwrap();

    let mut keys = stack.webhook_keys().get().await;
    assert!(keys["current"] == "1" && keys["1"].as_str().unwrap().len() == 64);
    keys["2"] = key("b");
    keys["current"] = json!("2");
    stack.webhook_keys().put(&keys).await;
    // At most a second later the new key is current.
    let mut created = Value::Null;
    eventually("a new endpoint has the new key", Deadline::SOON, async || {
        created = merchant.client.create_webhook_endpoint(second.url(), &["payment.*"]).await;
        let key = newest_key(&stack, &merchant, &text(&created, "id")).await;
        if key != old_key {
            return Ok(());
        }
        merchant.client.webhook_endpoint_deletion(&text(&created, "id")).send().await.expect(204);
        Err(key.to_string())
    })
    .await;
    // printf 'b%.0s' {1..64} | sha256sum
    assert_eq!(newest_key(&stack, &merchant, &text(&created, "id")).await, json!("a0fab1377f49"));
    // The old endpoint keeps its key until its secret is rotated.
    merchant.client.paid(1250, "USD").await;
    let attempts = stack.attempts_at_least(&second, 1, Deadline::SOON).await;
    attempts[0].verify(&text(&created, "secret")).unwrap();
    stack.attempts_at_least(&first, 2, Deadline::SOON).await[1].verify(&old_secret).unwrap();
    let new_secret = rotated(&merchant.client, &id).await;
    assert_ne!(newest_key(&stack, &merchant, &id).await, old_key);
    merchant.client.paid(1250, "USD").await;
    let attempts = stack.attempts_at_least(&first, 3, Deadline::SOON).await;
    for secret in [&old_secret, &new_secret] {
        attempts[2].verify(secret).unwrap();
    }
}

#[tokio::test]
async fn a_lost_key_makes_no_attempt_until_it_is_back() {
    let stack = Stack::start(quick()).await;
    let merchant = stack.new_merchant().await;
    let receiver = Receiver::start().await;
    let request = merchant.client.webhook_endpoint_request("hook", receiver.url(), &["payment.*"]);
    let created = request.send().await.expect(201).body;
    let keys = stack.webhook_keys().get().await;
    // Another key under the same name.
    stack.webhook_keys().put(&json!({"current": "1", "1": key("a")})).await;
    merchant.client.paid(1250, "USD").await;
    a_key_is_missed(&stack).await;
    assert_eq!(receiver.attempts().len(), 0);
    eventually("a replay misses the key", Deadline::SOON, async || {
        let answer = request.send().await;
        if answer.status == 503 { Ok(()) } else { Err(answer.text) }
    })
    .await;

    stack.webhook_keys().put(&keys).await;
    let attempts = stack.attempts_at_least(&receiver, 1, Deadline::SOON).await;
    attempts[0].verify(&text(&created, "secret")).unwrap();
    let again = request.send_until_served().await.unwrap().expect(201).body;
    assert_eq!(again["secret"], created["secret"]);
}

#[tokio::test]
async fn a_rotation_replaces_a_lost_key() {
    let stack = Stack::start(quick()).await;
    let merchant = stack.new_merchant().await;
    let receiver = Receiver::start().await;
    let created = merchant.client.create_webhook_endpoint(receiver.url(), &["payment.*"]).await;
    let id = text(&created, "id");
    let lost = newest_key(&stack, &merchant, &id).await;
    stack.webhook_keys().put(&json!({"current": "2", "2": key("a")})).await;
    merchant.client.paid(1250, "USD").await;
    a_key_is_missed(&stack).await;
    let mut secret = String::new();
    eventually("a rotation has the new key", Deadline::SOON, async || {
        secret = rotated(&merchant.client, &id).await;
        let key = newest_key(&stack, &merchant, &id).await;
        if key == lost { Err(key.to_string()) } else { Ok(()) }
    })
    .await;
    let attempts = stack.attempts_at_least(&receiver, 1, Deadline::SOON).await;
    attempts[0].verify(&secret).unwrap();
    attempts[0].verify(&text(&created, "secret")).unwrap_err();
}

#[tokio::test]
async fn keys_that_cannot_be_read_are_a_503() {
    let stack = Stack::start(quick()).await;
    let merchant = stack.new_merchant().await;
    stack.webhook_keys().put(&json!({"current": "1"})).await;
    let request = merchant.client.webhook_endpoint_request(&unique(), URL, &["*"]);
    request.send().await.expect_problem(503, "unavailable");
    assert!(stack.table().partition(&format!("{}#webhooks", merchant.tenant())).await.is_empty());
    stack.webhook_keys().put(&json!({"current": "1", "1": key("a")})).await;
    request.send_until_served().await.unwrap().expect(201);
}

#[tokio::test]
async fn a_stored_text_signs_until_it_ends_after_a_rotation() {
    let stack = Stack::start(quick()).await;
    let merchant = stack.new_merchant().await;
    let receiver = Receiver::start().await;
    let request = merchant.client.webhook_endpoint_request("hook", receiver.url(), &["payment.*"]);
    let id = text(&request.send().await.expect(201).body, "id");
    // As release 0.1.0 stored it.
    let secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
    let secrets = json!({":secrets": {"L": [{"M": {"generation": {"N": "1"}, "text": {"S": secret}}}]}});
    stack.table().update(&format!("{}#webhooks", merchant.tenant()), &id, "SET secrets = :secrets", secrets).await;
    assert_eq!(text(&request.send().await.expect(201).body, "secret"), secret);

    let new = rotated(&merchant.client, &id).await;
    merchant.client.paid(1250, "USD").await;
    let attempts = stack.attempts_at_least(&receiver, 1, Deadline::SOON).await;
    for secret in [&new, secret] {
        attempts[0].verify(secret).unwrap();
    }
    let secrets = stored(&stack, &merchant, &id).await["secrets"].clone();
    assert_eq!((secrets[0].get("text"), &secrets[1]["text"]), (None, &json!(secret)));
}
