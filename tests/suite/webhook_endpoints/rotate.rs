//! `POST /v1/webhook-endpoints/{endpoint_id}/rotate-secret`

use super::*;

#[tokio::test]
async fn a_rotation_is_not_replayed_after_its_secret_ended() {
    let stack = Stack::start(Options::new()).await;
    let merchant = stack.new_merchant().await;
    let id = text(&merchant.client.create_webhook_endpoint(URL, &["*"]).await, "id");
    let rotation = merchant.client.webhook_endpoint_action(&id, "rotate-secret", &unique());
    rotation.send().await.expect(200);
    merchant.client.webhook_endpoint_action(&id, "rotate-secret", &unique()).send().await.expect(200);
    let key = json!({"pk": {"S": format!("{}#webhooks", merchant.tenant())}, "sk": {"S": id}});
    let end = json!({"Key": key, "UpdateExpression": "SET secrets[1].#until = :now",
        "ExpressionAttributeNames": {"#until": "until"}, "ExpressionAttributeValues": {":now": {"S": clock::now()}}});
    stack.table().call("UpdateItem", end).await;
    rotation.send().await.expect_problem(422, "idempotency_key_reused");
}

#[tokio::test]
async fn a_rotation_signs_with_both_secrets_and_applies_once() {
    let stack = Stack::start(Options::new()).await;
    let merchant = stack.new_merchant().await;
    let receiver = Receiver::start().await;
    let created = merchant.client.create_webhook_endpoint(receiver.url(), &["payment.*"]).await;
    let id = text(&created, "id");
    let rotation = merchant.client.webhook_endpoint_action(&id, "rotate-secret", &unique());
    let first = rotation.send().await.expect(200);
    let second = rotation.send().await.expect(200);
    assert_eq!((&first.body["secret"], first.header("idempotent-replayed")), (&second.body["secret"], ""));
    assert_eq!(second.header("idempotent-replayed"), "true");
    assert_eq!((first.header("cache-control"), first.header("etag")), ("no-store", "\"2\""));
    let [old, new] = [&created, &first.body].map(|shown| text(shown, "secret"));
    assert_ne!(old, new);

    merchant.client.paid(1250, "USD").await;
    let attempts = stack.attempts_at_least(&receiver, 1, Deadline::SOON).await;
    for secret in [&old, &new] {
        attempts[0].verify(secret).unwrap();
    }
    let secrets = stored(&stack, &merchant, &id).await["secrets"].clone();
    // 24 hours, in milliseconds.
    assert_eq!(millis(&secrets[1]["until"]), millis(&first.body["updated_at"]) + 86_400_000);
    // The old secret's rotation is replayed while that secret signs, also after another rotation.
    let other = merchant.client.webhook_endpoint_action(&id, "rotate-secret", &unique()).send().await.expect(200);
    assert_ne!(other.body["secret"], first.body["secret"]);
    assert_eq!(rotation.send().await.expect(200).body["secret"], first.body["secret"]);
}

#[tokio::test]
async fn one_of_two_rotations_of_a_version_creates_a_secret() {
    let stack = Stack::start(Options::new()).await;
    let merchant = stack.new_merchant().await;
    let id = text(&merchant.client.create_webhook_endpoint(URL, &["*"]).await, "id");
    let rotation =
        |tag: &str| merchant.client.webhook_endpoint_action(&id, "rotate-secret", &unique()).header("if-match", tag);
    rotation("1").send().await.expect_problem(428, "precondition_required");
    rotation("\"2\"").send().await.expect_problem(412, "precondition_failed");
    let requests = [rotation("\"1\""), rotation("\"1\"")];
    let answers = join_all(requests.iter().map(|request| async { request.send_until_served().await.unwrap() })).await;
    let mut statuses: Vec<u16> = answers.iter().map(|answer| answer.status.as_u16()).collect();
    let first = usize::from(statuses[0] == 412);
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 412]);
    let secrets = stored(&stack, &merchant, &id).await["secrets"].clone();
    assert_eq!(secrets.as_array().unwrap().len(), 2);
    // Repeated, each request gets its answer again.
    assert_eq!(requests[first].send().await.expect(200).header("idempotent-replayed"), "true");
    requests[1 - first].send().await.expect_problem(412, "precondition_failed");
}

#[tokio::test]
async fn concurrent_rotations_keep_the_newest_three_secrets() {
    let stack = Stack::start(Options::new()).await;
    let merchant = stack.new_merchant().await;
    let id = text(&merchant.client.create_webhook_endpoint(URL, &["*"]).await, "id");
    let requests: Vec<_> = (0..4)
        .map(|number| merchant.client.webhook_endpoint_action(&id, "rotate-secret", &number.to_string()))
        .collect();
    let answers = join_all(requests.iter().map(|request| async { request.send_until_served().await.unwrap() })).await;
    let made: std::collections::BTreeSet<String> =
        answers.into_iter().map(|answer| text(&answer.expect(200).body, "secret")).collect();
    assert_eq!(made.len(), 4);
    let secrets = stored(&stack, &merchant, &id).await["secrets"].clone();
    let generations: Vec<_> =
        secrets.as_array().unwrap().iter().map(|secret| secret["generation"].as_i64().unwrap()).collect();
    assert_eq!(generations, [5, 4, 3]);
}
