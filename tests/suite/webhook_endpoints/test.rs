//! `POST /v1/webhook-endpoints/{endpoint_id}/test`

use super::*;

/// Types of the events that a receiver got.
fn types(receiver: &Receiver) -> Vec<String> {
    receiver.attempts().iter().map(|attempt| text(&attempt.json(), "type")).collect()
}

#[tokio::test]
async fn a_test_event_goes_to_its_endpoint_once() {
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
    // A later event has arrived: so no other one follows.
    merchant.client.paid(1250, "USD").await;
    stack.attempts_at_least(&other, 1, Deadline::SOON).await;
    assert!(types(&other).iter().all(|kind| kind == "payment.succeeded"), "{:?}", types(&other));
    let ids: std::collections::BTreeSet<_> = tested.attempts().iter().map(|attempt| attempt.id().to_owned()).collect();
    assert_eq!(ids.len(), 1, "{:?}", types(&tested));

    merchant.client.webhook_endpoint_change(&id, 1, &json!({"status": "disabled"})).send().await.expect(200);
    let disabled = merchant.client.webhook_endpoint_action(&id, "test", &unique()).send().await;
    disabled.expect_problem(409, "webhook_endpoint_disabled");
    // The earlier test is replayed unchanged.
    assert_eq!(request.send().await.expect(202).body, first.body);
}
