//! `DELETE /v1/webhook-endpoints/{endpoint_id}`

use super::*;

#[tokio::test]
async fn a_deleted_endpoint_is_gone_and_its_key_stays_used() {
    let stack = Stack::start(Options::new()).await;
    let merchant = stack.new_merchant().await;
    let client = &merchant.client;
    let request = client.webhook_endpoint_request(&unique(), URL, &["*"]);
    let id = request.send().await.expect(201).id().to_owned();
    let foreign = stack.new_merchant().await.client;
    foreign.webhook_endpoint_deletion(&id).send().await.expect_problem(404, "not_found");

    for _ in 0..2 {
        let gone = client.webhook_endpoint_deletion(&id).send().await.expect(204);
        assert_eq!(gone.text, "");
    }
    assert_eq!(count(&stack, &merchant).await, (json!(0), json!(0)));
    client.get(&format!("/webhook-endpoints/{id}")).await.expect_problem(404, "not_found");
    request.send().await.expect_problem(409, "webhook_endpoint_deleted");
    client.webhook_endpoint_change(&id, 1, &json!({"url": URL})).send().await.expect_problem(404, "not_found");
    for action in ["rotate-secret", "test"] {
        let request = client.webhook_endpoint_action(&id, action, &unique());
        request.send().await.expect_problem(404, "not_found");
    }
    client.webhook_endpoint_deletion("we_00000000000000000000000000").send().await.expect_problem(404, "not_found");
    let tombstone = stored(&stack, &merchant, &format!("gone#{id}")).await;
    let expires_at = tombstone["expires_at"].as_i64().unwrap();
    // 30 days; a started second counts.
    assert_eq!(expires_at, millis(&tombstone["deleted_at"]) / 1000 + 2_592_000);
}

#[tokio::test]
async fn an_expired_tombstone_hinders_nothing() {
    let stack = Stack::start(Options::new()).await;
    let merchant = stack.new_merchant().await;
    let request = merchant.client.webhook_endpoint_request(&unique(), URL, &["*"]);
    let id = request.send().await.expect(201).id().to_owned();
    merchant.client.webhook_endpoint_deletion(&id).send().await.expect(204);
    // The table deletes an expired item some time later.
    let (pk, sk) = (format!("{}#webhooks", merchant.tenant()), format!("gone#{id}"));
    stack.table().update(&pk, &sk, "SET expires_at = :past", json!({":past": {"N": "1"}})).await;
    assert_eq!(request.send().await.expect(201).id(), id);
    merchant.client.webhook_endpoint_deletion(&id).send().await.expect(204);
    assert!(stored(&stack, &merchant, &sk).await["expires_at"].as_i64().unwrap() > 1);
    request.send().await.expect_problem(409, "webhook_endpoint_deleted");
}

#[tokio::test]
async fn concurrent_deletions_count_once() {
    let stack = Stack::start(Options::new()).await;
    let merchant = stack.new_merchant().await;
    merchant.client.create_webhook_endpoint(URL, &["*"]).await;
    let id = text(&merchant.client.create_webhook_endpoint(URL, &["*"]).await, "id");
    let deletion = merchant.client.webhook_endpoint_deletion(&id);
    let answers = join_all((0..8).map(|_| async { deletion.send_until_served().await.unwrap() })).await;
    assert!(answers.iter().all(|answer| answer.status == 204), "{answers:?}");
    assert_eq!(count(&stack, &merchant).await, (json!(1), json!(1)));
}

#[tokio::test]
async fn a_deletion_during_a_status_change_counts_correctly() {
    let stack = Stack::start(Options::new().store_proxy().unkilled()).await;
    let merchant = stack.new_merchant().await;
    let id = text(&merchant.client.create_webhook_endpoint(URL, &["*"]).await, "id");
    let held = stack.store_proxy().hold(1, Matching::operation("TransactWriteItems").with("gone#"));
    let deletion = merchant.client.webhook_endpoint_deletion(&id);
    let disabling = async {
        held.reached(1).await;
        let change = merchant.client.webhook_endpoint_change(&id, 1, &json!({"status": "disabled"}));
        change.send().await.expect(200);
        held.forward();
    };
    let (deleted, ()) = tokio::join!(deletion.send(), disabling);
    deleted.expect(204);
    assert_eq!(count(&stack, &merchant).await, (json!(0), json!(0)));
}

#[tokio::test]
async fn a_deletion_accepts_if_match() {
    let stack = Stack::start(Options::new()).await;
    let client = stack.new_merchant().await.client;
    let id = text(&client.create_webhook_endpoint(URL, &["*"]).await, "id");
    let deletion = |tag: &str| client.webhook_endpoint_deletion(&id).header("if-match", tag);
    deletion("\"2\"").send().await.expect_problem(412, "precondition_failed");
    deletion("1").send().await.expect_problem(428, "precondition_required");
    for _ in 0..2 {
        deletion("\"1\"").send().await.expect(204);
    }
}

#[tokio::test]
async fn a_deletion_needs_if_match_from_its_version_on() {
    let stack = Stack::start(Options::new()).await;
    let client = stack.new_merchant().await.client;
    for (version, if_match, status) in [
        ("2026-12-01", None, 428),
        ("2026-12-01", Some("\"2\""), 412),
        ("2026-12-01", Some("\"1\""), 204),
        ("2026-12-01", Some("*"), 204),
        ("2026-11-28", None, 204),
    ] {
        let id = text(&client.create_webhook_endpoint(URL, &["*"]).await, "id");
        let mut deletion = client.webhook_endpoint_deletion(&id).header("spillway-version", version);
        if let Some(tag) = if_match {
            deletion = deletion.header("if-match", tag);
        }
        deletion.send().await.expect(status);
        let left = client.get(&format!("/webhook-endpoints/{id}")).await.status;
        assert_eq!(left, if status == 204 { 404 } else { 200 }, "{version} {if_match:?}");
    }
}

#[tokio::test]
async fn an_endpoint_that_changes_meanwhile_is_not_deleted() {
    let stack = Stack::start(Options::new().store_proxy().unkilled()).await;
    let merchant = stack.new_merchant().await;
    let id = text(&merchant.client.create_webhook_endpoint(URL, &["*"]).await, "id");
    let held = stack.store_proxy().hold(1, Matching::operation("TransactWriteItems").with("gone#"));
    let deletion = merchant.client.webhook_endpoint_deletion(&id).header("if-match", "\"1\"");
    let changing = async {
        held.reached(1).await;
        let change = merchant.client.webhook_endpoint_change(&id, 1, &json!({"event_types": ["refund.failed"]}));
        change.send().await.expect(200);
        held.forward();
    };
    let (deleted, ()) = tokio::join!(deletion.send(), changing);
    deleted.expect_problem(412, "precondition_failed");
    assert_eq!(merchant.client.webhook_endpoint(&id).await["version"], 2);
}

#[tokio::test]
async fn an_unreadable_endpoint_can_be_deleted() {
    let stack = Stack::start(Options::new()).await;
    let merchant = stack.new_merchant().await;
    let id = text(&merchant.client.create_webhook_endpoint(URL, &["*"]).await, "id");
    let key = json!({"pk": {"S": format!("{}#webhooks", merchant.tenant())}, "sk": {"S": id}});
    let spoil = json!({"Key": key, "UpdateExpression": "SET event_types = :new",
        "ExpressionAttributeValues": {":new": {"L": [{"S": "subscription.*"}]}}});
    stack.table().call("UpdateItem", spoil).await;
    merchant.client.get(&format!("/webhook-endpoints/{id}")).await.expect_problem(500, "internal_error");
    merchant.client.webhook_endpoint_deletion(&id).send().await.expect(204);
    assert_eq!(count(&stack, &merchant).await, (json!(0), json!(0)));
}

#[tokio::test]
async fn a_deleted_endpoints_deliveries_are_given_up() {
    let options = Options::new().knob("WEBHOOK_WAITS_SECONDS", "1,1").knob("FIRST_DUE_SECONDS", 1).unkilled();
    let stack = Stack::start(options).await;
    let merchant = stack.new_merchant().await;
    let broken = Receiver::scripted(vec![Reply::Status(500); 99]).await;
    let id = text(&merchant.client.create_webhook_endpoint(broken.url(), &["payment.*"]).await, "id");
    merchant.client.paid(1250, "USD").await;
    stack.attempts_at_least(&broken, 1, Deadline::SOON).await;
    merchant.client.webhook_endpoint_deletion(&id).send().await.expect(204);
    eventually("the delivery is given up", Deadline::LATER, async || {
        stack.run_due().await;
        let items = stack.table().items().await;
        let delivery =
            items.iter().find(|item| item["sk"] == json!(id) && item["pk"].as_str().unwrap().contains("#evt_"));
        let given_up = delivery.is_some_and(|delivery| delivery["status"] == "failed" && !delivery.contains_key("due"));
        if given_up { Ok(()) } else { Err(format!("{delivery:?}")) }
    })
    .await;
    // No step of a delivery restores the endpoint.
    assert_eq!(stack.table().item(&format!("{}#webhooks", merchant.tenant()), &id).await, None);
}
