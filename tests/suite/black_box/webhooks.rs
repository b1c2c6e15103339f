//! Webhooks, as a merchant's receiver gets them. The receiver listens on loopback, so the functions must run on this
//! machine.

use reqwest::Method;
use serde_json::json;
use spillway_tests::queues::copies;
use spillway_tests::receiver::{Receiver, Reply};
use spillway_tests::{Deadline, Target, eventually, unique};

#[tokio::test]
async fn an_endpoint_is_created_with_its_secret() {
    let target = Target::start().await;
    let client = target.new_merchant().await.client;
    let request = client.webhook_endpoint_request(&unique(), "https://example.com/hook", &["payment.*"]);
    let answer = request.send().await.expect(201);
    assert!(answer.id().starts_with("we_"));
    assert_eq!(answer.header("location"), format!("{}/webhook-endpoints/{}", target.path(), answer.id()));
    assert!(answer.body["secret"].as_str().unwrap().starts_with("whsec_"));
    assert_eq!((&answer.body["status"], &answer.body["url"]), (&json!("enabled"), &json!("https://example.com/hook")));
    assert_eq!(answer.body["event_types"], json!(["payment.*"]));
}

#[tokio::test]
async fn an_idempotency_key_creates_one_endpoint() {
    let target = Target::start().await;
    let client = target.new_merchant().await.client;
    let create = async |event_type: &str| {
        client.webhook_endpoint_request("hook-1", "https://example.com/hook", &[event_type]).send().await
    };
    let first = create("payment.*").await.expect(201);
    let again = create("payment.*").await.expect(201);
    assert_eq!((&again.body, again.header("idempotent-replayed")), (&first.body, "true"));
    create("payment.failed").await.expect_problem(422, "idempotency_key_reused");
}

#[tokio::test]
async fn an_endpoint_is_changed_tested_rotated_and_deleted() {
    let target = Target::start().await;
    let client = target.new_merchant().await.client;
    let receiver = Receiver::start().await;
    let create = client.webhook_endpoint_request(&unique(), "https://example.com/hook", &["payment.*"]);
    let created = create.send().await.expect(201);
    let id = created.id();

    let change = client.webhook_endpoint_change(id, 1, &json!({"url": receiver.url()}));
    change.clone().without("if-match").send().await.expect_problem(428, "precondition_required");
    let changed = change.send().await.expect(200);
    assert_eq!((&changed.body["version"], changed.header("etag")), (&json!(2), "\"2\""));
    let stale = client.webhook_endpoint_change(id, 1, &json!({"status": "disabled"}));
    stale.send().await.expect_problem(412, "precondition_failed");
    let listed = client.get("/webhook-endpoints").await.expect(200);
    assert_eq!(listed.body["data"], json!([changed.body]));

    let rotation = client.webhook_endpoint_action(id, "rotate-secret", &unique());
    let rotated = rotation.send().await.expect(200);
    assert_eq!(rotation.send().await.expect(200).body, rotated.body);
    let test = client.webhook_endpoint_action(id, "test", &unique());
    let sent = test.send().await.expect(202);
    assert_eq!(test.send().await.expect(202).body, sent.body);
    let attempts = receiver.attempts_at_least(1, Deadline::LATER).await;
    assert_eq!((attempts[0].id(), &attempts[0].json()["type"]), (sent.id(), &json!("webhook_endpoint.test")));
    for shown in [&created.body, &rotated.body] {
        attempts[0].verify(shown["secret"].as_str().unwrap()).unwrap();
    }

    for _ in 0..2 {
        assert_eq!(client.webhook_endpoint_deletion(id).send().await.expect(204).text, "");
    }
    client.get(&format!("/webhook-endpoints/{id}")).await.expect_problem(404, "not_found");
    create.send().await.expect_problem(409, "webhook_endpoint_deleted");
}

#[tokio::test]
async fn location_names_the_created_endpoint() {
    let target = Target::start().await;
    let (merchant, other) = (target.new_merchant().await, target.new_merchant().await);
    let request = merchant.client.webhook_endpoint_request(&unique(), "https://example.com/hook", &["payment.*"]);
    let created = request.send().await.expect(201);
    let path = created.header("location").strip_prefix(&target.path()).unwrap();
    let read = merchant.client.get(path).await.expect(200);
    let mut shown = created.body.clone();
    assert!(shown.as_object_mut().unwrap().remove("secret").is_some());
    assert_eq!((&read.body, read.header("cache-control")), (&shown, "private, no-cache"));
    assert_eq!((read.header("etag"), created.header("etag")), ("\"1\"", "\"1\""));
    let known = merchant.client.request(Method::GET, path).header("if-none-match", "\"1\"");
    let known = known.send().await.expect(304);
    assert_eq!((known.header("etag"), known.text.as_str()), ("\"1\"", ""));

    let missing = "/webhook-endpoints/we_00000000000000000000000000";
    let refusal = other.client.get(missing).await.expect_anonymous_problem(404, "not_found");
    for (client, path) in
        [(&other.client, path), (&merchant.client, missing), (&merchant.client, "/webhook-endpoints/x")]
    {
        assert_eq!(client.get(path).await.expect_anonymous_problem(404, "not_found"), refusal, "{path}");
    }
    let live = target.new_key(&merchant.id, json!({"mode": "live"})).await;
    assert_eq!(live.get(path).await.expect_anonymous_problem(404, "not_found"), refusal);
}

#[tokio::test]
async fn a_repeated_creation_shows_the_endpoint_as_it_is_now() {
    let target = Target::start().await;
    let client = target.new_merchant().await.client;
    let gone = Receiver::scripted(std::iter::repeat_n(Reply::Status(410), 20)).await;
    let request = client.webhook_endpoint_request("hook-1", gone.url(), &["payment.*"]);
    let created = request.send().await.expect(201);
    client.paid(1250, "USD").await;
    let disabled = eventually("the endpoint is disabled", Deadline::LATER, async || {
        let endpoint = client.webhook_endpoint(created.id()).await;
        if endpoint["status"] == "disabled" { Ok(endpoint) } else { Err(endpoint.to_string()) }
    })
    .await;
    assert_eq!((&disabled["version"], &disabled["created_at"]), (&json!(2), &created.body["created_at"]));
    assert!(disabled["updated_at"].as_str() > created.body["updated_at"].as_str(), "{disabled}");
    let again = request.send().await.expect(201);
    let mut shown = disabled;
    shown["secret"] = created.body["secret"].clone();
    assert_eq!((&again.body, again.header("idempotent-replayed")), (&shown, "true"));
    assert_eq!(again.header("etag"), "\"2\"");
}

#[tokio::test]
async fn a_payments_webhook_is_signed_and_equals_the_payment() {
    let target = Target::start().await;
    let client = target.new_merchant().await.client;
    let receiver = Receiver::start().await;
    let endpoint = client.create_webhook_endpoint(receiver.url(), &["payment.*"]).await;
    for (token, event) in [("tok_visa", "payment.succeeded"), ("tok_declined", "payment.failed")] {
        let id = client.pay(1250, "USD", token).await;
        let payment = client.finished(&id).await;
        let attempt = eventually(event, Deadline::LATER, async || {
            let attempts = receiver.attempts();
            let told = attempts.iter().find(|attempt| attempt.json()["type"] == event);
            told.cloned().ok_or_else(|| format!("{} attempts", attempts.len()))
        })
        .await;
        attempt.verify(endpoint["secret"].as_str().unwrap()).unwrap();
        assert!(attempt.id().starts_with("evt_"));
        assert_eq!(attempt.headers["content-type"], "application/json");
        let webhook = attempt.json();
        assert_eq!(webhook["data"], payment);
        let (id, timestamp) = (attempt.id(), webhook["timestamp"].as_str().unwrap());
        let head = format!(r#"{{"id":"{id}","type":"{event}","timestamp":"{timestamp}","data":{{"#);
        assert!(attempt.body.starts_with(head.as_bytes()), "{webhook}");
        assert_eq!(webhook.as_object().unwrap().len(), 4, "{webhook}");
    }
}

#[tokio::test]
async fn altered_webhooks_and_other_secrets_do_not_verify() {
    let target = Target::start().await;
    let client = target.new_merchant().await.client;
    let (receiver, other) = (Receiver::start().await, Receiver::start().await);
    let endpoint = client.create_webhook_endpoint(receiver.url(), &["payment.*"]).await;
    let second = client.create_webhook_endpoint(other.url(), &["payment.*"]).await;
    assert_ne!(endpoint["secret"], second["secret"]);
    client.paid(1250, "USD").await;
    let mut attempt = receiver.attempts_at_least(1, Deadline::LATER).await.remove(0);
    let at_other = other.attempts_at_least(1, Deadline::LATER).await.remove(0);
    assert_eq!(attempt.id(), at_other.id());
    at_other.verify(second["secret"].as_str().unwrap()).unwrap();
    attempt.verify(second["secret"].as_str().unwrap()).unwrap_err();
    *attempt.body.last_mut().unwrap() = b' ';
    attempt.verify(endpoint["secret"].as_str().unwrap()).unwrap_err();
}

#[tokio::test]
async fn a_failed_attempt_is_repeated_with_the_same_event() {
    let target = Target::start().await;
    let client = target.new_merchant().await.client;
    let receiver = Receiver::scripted([Reply::Status(500), Reply::Status(500)]).await;
    let endpoint = client.create_webhook_endpoint(receiver.url(), &["payment.*"]).await;
    let payment = client.paid(1250, "USD").await;
    let attempts = target.attempts_at_least(&receiver, 3, Deadline::LATER).await;
    for attempt in &attempts {
        attempt.verify(endpoint["secret"].as_str().unwrap()).unwrap();
        assert_eq!((attempt.id(), &attempt.body), (attempts[0].id(), &attempts[0].body));
    }
    assert_eq!(attempts[2].json()["data"], payment);
}

#[tokio::test]
async fn a_redirect_is_a_failure_and_is_not_followed() {
    let target = Target::start().await;
    let client = target.new_merchant().await.client;
    let elsewhere = Receiver::start().await;
    let receiver = Receiver::scripted([Reply::Redirect(elsewhere.url().to_owned())]).await;
    client.create_webhook_endpoint(receiver.url(), &["payment.*"]).await;
    client.paid(1250, "USD").await;
    target.attempts_at_least(&receiver, 2, Deadline::LATER).await;
    assert_eq!(elsewhere.attempts().len(), 0);
}

#[tokio::test]
async fn disabling_an_endpoint_sends_an_event_to_the_others() {
    let target = Target::start().await;
    let client = target.new_merchant().await.client;
    let gone = Receiver::scripted(std::iter::repeat_n(Reply::Status(410), 20)).await;
    let (listening, secret) = (Receiver::start().await, "secret");
    let disabled = client.create_webhook_endpoint(gone.url(), &["payment.*"]).await;
    let other = client.create_webhook_endpoint(listening.url(), &["webhook_endpoint.*"]).await;
    client.paid(1250, "USD").await;
    let told = target.attempts_at_least(&listening, 1, Deadline::LATER).await;
    told[0].verify(other[secret].as_str().unwrap()).unwrap();
    let event = told[0].json();
    assert_eq!(event["type"], "webhook_endpoint.disabled");
    assert_eq!((&event["data"]["id"], &event["data"]["status"]), (&disabled["id"], &json!("disabled")));
    assert_eq!((&event["data"]["version"], event["data"].get(secret)), (&json!(2), None));
}

#[tokio::test]
async fn retry_after_of_the_receiver_is_honoured() {
    let target = Target::start().await;
    let client = target.new_merchant().await.client;
    // Each copy of the message must wait, concurrent or not.
    let told = usize::try_from(copies()).unwrap();
    let receiver = Receiver::scripted(std::iter::repeat_n(Reply::RetryAfter(503, 4), told)).await;
    client.create_webhook_endpoint(receiver.url(), &["payment.*"]).await;
    client.paid(1250, "USD").await;
    let attempts = target.attempts_at_least(&receiver, told + 1, Deadline::LATER).await;
    let waited = attempts[told].at - attempts[0].at;
    assert!(waited.as_millis() >= 3000, "the attempt after the wait came after {waited:?}");
}

#[tokio::test]
async fn webhooks_go_to_the_tenants_own_endpoints() {
    let target = Target::start().await;
    let (one, two) = (target.new_merchant().await, target.new_merchant().await);
    let (at_one, at_two) = (Receiver::start().await, Receiver::start().await);
    one.client.create_webhook_endpoint(at_one.url(), &["payment.*"]).await;
    two.client.create_webhook_endpoint(at_two.url(), &["payment.*"]).await;
    let (first, second) = (one.client.paid(1250, "USD").await, two.client.paid(2500, "USD").await);
    at_one.attempts_at_least(1, Deadline::LATER).await;
    at_two.attempts_at_least(1, Deadline::LATER).await;
    for (receiver, payment) in [(&at_one, &first), (&at_two, &second)] {
        for attempt in receiver.attempts() {
            assert_eq!(&attempt.json()["data"], payment);
        }
    }
    assert_eq!(one.client.balance("USD").await, (0, 1184));
    assert_eq!(two.client.balance("USD").await, (0, 2398));
}
