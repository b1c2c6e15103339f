//! `/v1/webhook-endpoints`: list, change, delete, rotate the secret, test.

use futures::future::join_all;
use serde_json::{Value, json};
use spillway_tests::receiver::{Receiver, Reply};
use spillway_tests::store_proxy::{Fault, Matching};
use spillway_tests::table::Item;
use spillway_tests::{Client, Deadline, Merchant, Options, Stack, Template, clock, eventually, pages, unique};

const URL: &str = "https://example.com/hook";

fn text(value: &Value, field: &str) -> String {
    value[field].as_str().unwrap().to_owned()
}

/// Milliseconds since 1970.
fn millis(time: &Value) -> i64 {
    clock::millis(time.as_str().unwrap())
}

/// What is stored beside the merchant's endpoints: how many there are.
async fn count(stack: &Stack, merchant: &Merchant) -> (Value, Value) {
    let count = stack.table().item(&format!("{}#webhooks", merchant.tenant()), "count").await.unwrap();
    (count["endpoints"].clone(), count["enabled"].clone())
}

async fn stored(stack: &Stack, merchant: &Merchant, id: &str) -> Item {
    stack.table().item(&format!("{}#webhooks", merchant.tenant()), id).await.unwrap()
}

#[tokio::test]
async fn a_list_has_every_endpoint_once_newest_first_and_no_secret() {
    let stack = Stack::start(Options::new()).await;
    let merchant = stack.new_merchant().await;
    let mut created = Vec::new();
    for _ in 0..5 {
        created.push(text(&merchant.client.create_webhook_endpoint(URL, &["*"]).await, "id"));
    }
    merchant.client.webhook_endpoint_change(&created[1], 1, &json!({"status": "disabled"})).send().await.expect(200);
    stack.new_merchant().await.client.create_webhook_endpoint(URL, &["*"]).await;

    let read = pages::walk(&merchant.client, "/webhook-endpoints", 2, "").await.concat();
    let ids: Vec<String> = read.iter().map(|endpoint| text(endpoint, "id")).collect();
    created.reverse();
    assert_eq!(ids, created);
    assert!(read.iter().all(|endpoint| endpoint.get("secret").is_none()), "{read:?}");
    let disabled = merchant.client.get("/webhook-endpoints?status=disabled").await.expect(200).body;
    assert_eq!((disabled["data"].as_array().unwrap().len(), &disabled["data"][0]["id"]), (1, &json!(created[3])));
    merchant.client.get("/webhook-endpoints?status=gone").await.expect_problem(400, "invalid_parameters");
}

#[tokio::test]
async fn a_change_needs_the_version_that_it_is_based_on() {
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

    // The same again, whose first answer was lost perhaps: it is so already.
    assert_eq!(request.send().await.expect(200).body, expected);
    // Another change on the old version is not made; on any version it is.
    client.webhook_endpoint_change(id, 1, &json!({"url": URL})).send().await.expect_problem(412, "precondition_failed");
    let any = client.webhook_endpoint_change(id, 1, &json!({"url": URL})).without("if-match").header("if-match", "*");
    let changed = any.send().await.expect(200).body;
    expected["url"] = json!(URL);
    expected["version"] = json!(3);
    expected["updated_at"] = changed["updated_at"].clone();
    assert_eq!(changed, expected);
}

#[tokio::test]
async fn a_change_is_read_as_strictly_as_a_creation() {
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
async fn of_two_changes_on_one_version_one_is_made() {
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
    // One place, and two that want it.
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
async fn a_deleted_endpoint_is_gone_and_its_creation_makes_no_second_one() {
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
    // 30 days, and begun seconds count from their beginning.
    assert_eq!(expires_at, millis(&tombstone["deleted_at"]) / 1000 + 2_592_000);
}

#[tokio::test]
async fn deletions_at_once_count_once() {
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
async fn a_deletion_that_meets_a_change_of_the_status_counts_the_endpoint_as_it_is() {
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
async fn a_change_that_meets_another_is_refused() {
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
async fn a_change_sent_twice_at_once_is_answered_200_twice() {
    let stack = Stack::start(Options::new().store_proxy().unkilled()).await;
    let merchant = stack.new_merchant().await;
    let id = text(&merchant.client.create_webhook_endpoint(URL, &["*"]).await, "id");
    let held = stack.store_proxy().hold(1, Matching::operation("UpdateItem").with("refund.failed"));
    let change = merchant.client.webhook_endpoint_change(&id, 1, &json!({"event_types": ["refund.failed"]}));
    let second = async {
        held.reached(1).await;
        // The second reads the endpoint while the first's write waits at the proxy.
        let answer = change.send().await.expect(200);
        held.forward();
        answer
    };
    let (first, second) = tokio::join!(change.send(), second);
    assert_eq!(first.expect(200).body, second.body);
    assert_eq!(merchant.client.webhook_endpoint(&id).await["version"], 2);
}

#[tokio::test]
async fn a_deletion_may_name_the_version() {
    let stack = Stack::start(Options::new()).await;
    let client = stack.new_merchant().await.client;
    let id = text(&client.create_webhook_endpoint(URL, &["*"]).await, "id");
    let deletion = |tag: &str| client.webhook_endpoint_deletion(&id).header("if-match", tag);
    deletion("\"2\"").send().await.expect_problem(412, "precondition_failed");
    deletion("\"1\"").send().await.expect(204);
}

#[tokio::test]
async fn an_endpoint_that_can_not_be_read_can_be_deleted() {
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
async fn a_rotation_whose_secret_has_ended_is_not_repeated() {
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
async fn a_failure_of_the_old_address_is_not_noted_of_the_new_one() {
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

#[tokio::test]
async fn after_a_rotation_both_secrets_sign_and_the_same_key_rotates_once() {
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
    // The old secret's rotation is known while it signs, after another rotation too.
    let other = merchant.client.webhook_endpoint_action(&id, "rotate-secret", &unique()).send().await.expect(200);
    assert_ne!(other.body["secret"], first.body["secret"]);
    assert_eq!(rotation.send().await.expect(200).body["secret"], first.body["secret"]);
}

#[tokio::test]
async fn rotations_at_once_each_make_a_secret_and_the_newest_three_sign() {
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

/// The events that a receiver was sent, by type.
fn types(receiver: &Receiver) -> Vec<String> {
    receiver.attempts().iter().map(|attempt| text(&attempt.json(), "type")).collect()
}

#[tokio::test]
async fn a_test_is_posted_to_its_endpoint_alone_and_once_for_its_key() {
    let stack = Stack::start(Options::new().unkilled()).await;
    let merchant = stack.new_merchant().await;
    let [tested, other] = [Receiver::start().await, Receiver::start().await];
    let created = merchant.client.create_webhook_endpoint(tested.url(), &["refund.failed"]).await;
    merchant.client.create_webhook_endpoint(other.url(), &["*"]).await;
    let id = text(&created, "id");
    let request = merchant.client.webhook_endpoint_action(&id, "test", &unique());
    let first = request.send().await.expect(202);
    let mut shown = created.clone();
    shown.as_object_mut().unwrap().remove("secret");
    assert_eq!((&first.body["type"], &first.body["data"]), (&json!("webhook_endpoint.test"), &shown));
    let again = request.send().await.expect(202);
    assert_eq!((&again.body, again.header("idempotent-replayed")), (&first.body, "true"));

    let attempts = stack.attempts_at_least(&tested, 1, Deadline::SOON).await;
    attempts[0].verify(created["secret"].as_str().unwrap()).unwrap();
    assert_eq!((attempts[0].id(), &attempts[0].json()["data"]), (first.id(), &shown));
    // What comes behind it has come: so nothing else will.
    merchant.client.paid(1250, "USD").await;
    stack.attempts_at_least(&other, 1, Deadline::SOON).await;
    assert!(types(&other).iter().all(|kind| kind == "payment.succeeded"), "{:?}", types(&other));
    let ids: std::collections::BTreeSet<_> = tested.attempts().iter().map(|attempt| attempt.id().to_owned()).collect();
    assert_eq!(ids.len(), 1, "{:?}", types(&tested));

    merchant.client.webhook_endpoint_change(&id, 1, &json!({"status": "disabled"})).send().await.expect(200);
    let disabled = merchant.client.webhook_endpoint_action(&id, "test", &unique()).send().await;
    disabled.expect_problem(409, "webhook_endpoint_disabled");
    // The test that was made before is told as it was.
    assert_eq!(request.send().await.expect(202).body, first.body);
}

/// An endpoint that has been down for an hour, and one payment's event that was put off for it.
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
async fn what_waits_for_an_endpoint_is_sent_to_its_new_address_at_once() {
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
async fn an_endpoint_with_a_new_address_counts_as_working_whatever_was_noted_meanwhile() {
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

#[tokio::test]
async fn what_waits_for_a_deleted_endpoint_is_given_up() {
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
    // Nothing that a delivery does brings the endpoint back.
    assert_eq!(stack.table().item(&format!("{}#webhooks", merchant.tenant()), &id).await, None);
}

#[tokio::test]
async fn a_lost_reply_changes_nothing_twice() {
    let stack = Stack::start(Options::new().store_proxy().template(Template::still()).unkilled()).await;
    let merchant = stack.new_merchant().await;
    let client: &Client = &merchant.client;
    let id = text(&client.create_webhook_endpoint(URL, &["*"]).await, "id");
    for (matching, request, status) in [
        ("event_types", client.webhook_endpoint_change(&id, 1, &json!({"event_types": ["refund.*"]})), 200),
        ("status", client.webhook_endpoint_change(&id, 2, &json!({"status": "disabled"})), 200),
        ("status", client.webhook_endpoint_change(&id, 3, &json!({"status": "enabled"})), 200),
        ("secrets", client.webhook_endpoint_action(&id, "rotate-secret", &unique()), 200),
        ("last_test", client.webhook_endpoint_action(&id, "test", &unique()), 202),
        ("gone#", client.webhook_endpoint_deletion(&id), 204),
    ] {
        let matching = Matching::all().with(&id).with(matching).with("ExpressionAttribute");
        let before = stack.store_proxy().count(&matching);
        stack.store_proxy().fault(1, matching.clone(), Fault::LoseReply);
        let answer = request.send().await.expect(status);
        assert_eq!(answer.header("idempotent-replayed"), "", "{matching:?}");
        assert!(stack.store_proxy().count(&matching) >= before + 2, "no reply to {matching:?} was lost");
    }
    assert_eq!(count(&stack, &merchant).await, (json!(0), json!(0)));
}
