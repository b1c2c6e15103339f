//! `PATCH /v1/webhook-endpoints/{endpoint_id}`

use super::*;

#[tokio::test]
async fn a_change_needs_if_match_with_the_current_version() {
    let stack = Stack::start(Options::new()).await;
    let client = stack.new_merchant().await.client;
    let created = client.webhook_endpoint_request(&unique(), URL, &["payment.*"]).send().await.expect(201);
    let id = created.id();
    let change = json!({"url": "https://example.org/other", "event_types": ["refund.failed"]});
    let request = client.webhook_endpoint_change(id, 1, &change);

    request.clone().without("if-match").send().await.expect_problem(428, "precondition_required");
    let with = |tag: &str| request.clone().without("if-match").header("if-match", tag);
    for no_tag in ["1", ""] {
        with(no_tag).send().await.expect_problem(428, "precondition_required");
    }
    for wrong in ["\"2\"", "W/\"1\""] {
        with(wrong).send().await.expect_problem(412, "precondition_failed");
    }
    assert_eq!(client.webhook_endpoint(id).await["version"], 1);

    let changed = request.send().await.expect(200);
    assert_eq!(changed.header("etag"), "\"2\"");
    let mut expected = client.webhook_endpoint(id).await;
    assert_eq!(changed.body, expected);
    assert!(text(&expected, "updated_at") > text(&created.body, "updated_at"));
    for (field, value) in [("url", &change["url"]), ("event_types", &change["event_types"]), ("version", &json!(2))] {
        assert_eq!(&expected[field], value, "{field}");
    }

    // The same change again, as after a lost answer: it is already applied.
    assert_eq!(request.send().await.expect(200).body, expected);
    // Another change of the old version is refused; with `*` it applies.
    client.webhook_endpoint_change(id, 1, &json!({"url": URL})).send().await.expect_problem(412, "precondition_failed");
    let any = client.webhook_endpoint_change(id, 1, &json!({"url": URL})).without("if-match").header("if-match", "*");
    let changed = any.send().await.expect(200).body;
    expected["url"] = json!(URL);
    expected["version"] = json!(3);
    expected["updated_at"] = changed["updated_at"].clone();
    assert_eq!(changed, expected);
}

#[tokio::test]
async fn an_invalid_change_is_refused() {
    let stack = Stack::start(Options::new()).await;
    let client = stack.new_merchant().await.client;
    let id = text(&client.create_webhook_endpoint(URL, &["payment.*"]).await, "id");
    let before = client.webhook_endpoint(&id).await;
    for (change, pointer) in [
        (json!({"url": "https://10.0.0.1/"}), "/url"),
        (json!({"event_types": []}), "/event_types"),
        (json!({"event_types": ["payment.lost"]}), "/event_types/0"),
        (json!({"status": "deleted"}), "/status"),
        (json!({"secret": "whsec_mine"}), "/secret"),
    ] {
        let refused = client.webhook_endpoint_change(&id, 1, &change).send().await;
        assert_eq!(refused.expect_problem(422, "invalid_request").pointers(), [pointer], "{change}");
    }
    for nothing in [json!({}), json!({"url": null, "event_types": null, "status": null}), json!({"url": URL})] {
        assert_eq!(client.webhook_endpoint_change(&id, 1, &nothing).send().await.expect(200).body, before);
    }
    for (action, body) in [("rotate-secret", json!({"until": "now"})), ("test", json!({"type": "payment.failed"}))] {
        let request = client.webhook_endpoint_action(&id, action, &unique());
        let request = request.header("content-type", "application/json").body(body.to_string());
        request.send().await.expect_problem(422, "invalid_request");
    }
    assert_eq!(client.webhook_endpoint(&id).await, before);
}

#[tokio::test]
async fn one_of_two_changes_of_a_version_applies() {
    let stack = Stack::start(Options::new()).await;
    let merchant = stack.new_merchant().await;
    let id = text(&merchant.client.create_webhook_endpoint(URL, &["*"]).await, "id");
    let change = |number: usize| json!({"url": format!("https://example.com/{number}")});
    let changes: Vec<_> =
        (0..8).map(|number| merchant.client.webhook_endpoint_change(&id, 1, &change(number))).collect();
    let answers = join_all(changes.iter().map(|change| async { change.send_until_served().await.unwrap() })).await;
    let mut statuses: Vec<u16> = answers.iter().map(|answer| answer.status.as_u16()).collect();
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 412, 412, 412, 412, 412, 412, 412]);
    assert_eq!(merchant.client.webhook_endpoint(&id).await["version"], 2);
}

#[tokio::test]
async fn enabled_endpoints_are_counted_through_every_change() {
    let stack = Stack::start(Options::new()).await;
    let merchant = stack.new_merchant().await;
    let client = &merchant.client;
    let mut ids = Vec::new();
    for _ in 0..20 {
        ids.push(text(&client.create_webhook_endpoint(URL, &["*"]).await, "id"));
    }
    assert_eq!(count(&stack, &merchant).await, (json!(20), json!(20)));
    for id in &ids[..2] {
        client.webhook_endpoint_change(id, 1, &json!({"status": "disabled"})).send().await.expect(200);
    }
    assert_eq!(count(&stack, &merchant).await, (json!(20), json!(18)));
    ids.push(text(&client.create_webhook_endpoint(URL, &["*"]).await, "id"));
    // One free place and two requests for it.
    let enable = |id: &str| client.webhook_endpoint_change(id, 2, &json!({"status": "enabled"}));
    let both = [enable(&ids[0]), enable(&ids[1])];
    let answers = join_all(both.iter().map(|request| async { request.send_until_served().await.unwrap() })).await;
    let refused: Vec<_> = answers.into_iter().filter(|answer| answer.status != 200).collect();
    assert_eq!(refused.len(), 1, "{refused:?}");
    let refused = refused.into_iter().next().unwrap();
    refused.expect_problem(409, "too_many_enabled_webhook_endpoints");
    assert_eq!(count(&stack, &merchant).await, (json!(21), json!(20)));
    for id in &ids {
        client.webhook_endpoint_deletion(id).send().await.expect(204);
    }
    assert_eq!(count(&stack, &merchant).await, (json!(0), json!(0)));
}

#[tokio::test]
async fn a_concurrent_change_is_refused() {
    let stack = Stack::start(Options::new().store_proxy().unkilled()).await;
    let merchant = stack.new_merchant().await;
    let id = text(&merchant.client.create_webhook_endpoint(URL, &["*"]).await, "id");
    let held = stack.store_proxy().hold(1, Matching::operation("UpdateItem").with("refund.failed"));
    let first = merchant.client.webhook_endpoint_change(&id, 1, &json!({"event_types": ["refund.failed"]}));
    let disabling = async {
        held.reached(1).await;
        let change = merchant.client.webhook_endpoint_change(&id, 1, &json!({"status": "disabled"}));
        change.send().await.expect(200);
        held.forward();
    };
    let (refused, ()) = tokio::join!(first.send(), disabling);
    refused.expect_problem(412, "precondition_failed");
    assert_eq!(merchant.client.webhook_endpoint(&id).await["event_types"], json!(["*"]));
}

#[tokio::test]
async fn a_change_of_any_version_is_made_again_on_the_newest() {
    let stack = Stack::start(Options::new().store_proxy().unkilled()).await;
    let merchant = stack.new_merchant().await;
    let id = text(&merchant.client.create_webhook_endpoint(URL, &["*"]).await, "id");
    let held = stack.store_proxy().hold(1, Matching::operation("UpdateItem").with("refund.failed"));
    let first = merchant.client.webhook_endpoint_change(&id, 1, &json!({"event_types": ["refund.failed"]}));
    let first = first.without("if-match").header("if-match", "*");
    let second = async {
        held.reached(1).await;
        let change = merchant.client.webhook_endpoint_change(&id, 1, &json!({"url": "https://example.org/other"}));
        change.send().await.expect(200);
        held.forward();
    };
    let (first, ()) = tokio::join!(first.send(), second);
    // Both changes are there: neither overwrote the other.
    let changed = first.expect(200).body;
    assert_eq!((&changed["version"], &changed["url"]), (&json!(3), &json!("https://example.org/other")));
    assert_eq!(changed["event_types"], json!(["refund.failed"]));
    assert_eq!(merchant.client.webhook_endpoint(&id).await, changed);
}

#[tokio::test]
async fn concurrent_equal_changes_both_answer_200() {
    let stack = Stack::start(Options::new().store_proxy().unkilled()).await;
    let merchant = stack.new_merchant().await;
    let id = text(&merchant.client.create_webhook_endpoint(URL, &["*"]).await, "id");
    let held = stack.store_proxy().hold(1, Matching::operation("UpdateItem").with("refund.failed"));
    let change = merchant.client.webhook_endpoint_change(&id, 1, &json!({"event_types": ["refund.failed"]}));
    let second = async {
        held.reached(1).await;
        // The second reads the endpoint while the first one's write is held.
        let answer = change.send().await.expect(200);
        held.forward();
        answer
    };
    let (first, second) = tokio::join!(change.send(), second);
    assert_eq!(first.expect(200).body, second.body);
    assert_eq!(merchant.client.webhook_endpoint(&id).await["version"], 2);
}

#[tokio::test]
async fn a_failure_of_the_old_url_does_not_count_for_the_new() {
    let stack = Stack::start(Options::new().store_proxy().unkilled()).await;
    let merchant = stack.new_merchant().await;
    let [broken, works] = [Receiver::scripted(vec![Reply::Status(500); 99]).await, Receiver::start().await];
    let id = text(&merchant.client.create_webhook_endpoint(broken.url(), &["payment.*"]).await, "id");
    let noted = stack.store_proxy().hold(1, Matching::operation("UpdateItem").with("failing_since").with(&id));
    merchant.client.paid(1250, "USD").await;
    noted.reached(1).await;
    let change = merchant.client.webhook_endpoint_change(&id, 1, &json!({"url": works.url()}));
    change.send().await.expect(200);
    noted.forward();
    eventually("the attempt is over", Deadline::SOON, async || {
        let log = stack.log();
        if log.contains("500, attempt 1") { Ok(()) } else { Err(log) }
    })
    .await;
    let endpoint = stored(&stack, &merchant, &id).await;
    assert!(!endpoint.contains_key("failing_since"), "{endpoint:?}");
}

/// An endpoint that has failed for an hour, and a payment's event that was postponed for it.
async fn down(stack: &Stack, merchant: &Merchant, receiver: &Receiver) -> String {
    let id = text(&merchant.client.create_webhook_endpoint(receiver.url(), &["payment.*"]).await, "id");
    stack.fails_since(merchant, &id, 3600).await;
    merchant.client.paid(1250, "USD").await;
    stack.attempts_at_least(receiver, 1, Deadline::SOON).await;
    merchant.client.paid(1250, "USD").await;
    let partition = format!("{}#{id}#pending", merchant.tenant());
    eventually("two deliveries wait", Deadline::SOON, async || {
        let items = stack.table().items().await;
        let waiting = items.iter().filter(|item| item.get("listing") == Some(&json!(partition))).count();
        if waiting == 2 { Ok(()) } else { Err(format!("{waiting} wait")) }
    })
    .await;
    id
}

#[tokio::test]
async fn waiting_events_go_to_the_new_url_at_once() {
    let stack = Stack::start(Options::new().unkilled()).await;
    let merchant = stack.new_merchant().await;
    let [broken, works] = [Receiver::scripted(vec![Reply::Status(500); 99]).await, Receiver::start().await];
    let id = down(&stack, &merchant, &broken).await;
    let change = json!({"url": works.url()});
    merchant.client.webhook_endpoint_change(&id, 1, &change).send().await.expect(200);
    stack.attempts_at_least(&works, 2, Deadline::SOON).await;
    let endpoint = stored(&stack, &merchant, &id).await;
    assert!(!endpoint.contains_key("failing_since") && !endpoint.contains_key("probe_at"), "{endpoint:?}");
}

#[tokio::test]
async fn a_new_url_resets_the_failures() {
    let stack = Stack::start(Options::new().store_proxy().unkilled()).await;
    let merchant = stack.new_merchant().await;
    let id = text(&merchant.client.create_webhook_endpoint(URL, &["*"]).await, "id");
    let held = stack.store_proxy().hold(1, Matching::operation("UpdateItem").with("example.org"));
    let change = merchant.client.webhook_endpoint_change(&id, 1, &json!({"url": "https://example.org/"}));
    let failing = async {
        held.reached(1).await;
        stack.fails_since(&merchant, &id, 3600).await;
        held.forward();
    };
    let (changed, ()) = tokio::join!(change.send(), failing);
    changed.expect(200);
    let endpoint = stored(&stack, &merchant, &id).await;
    assert!(!endpoint.contains_key("failing_since"), "{endpoint:?}");
}
