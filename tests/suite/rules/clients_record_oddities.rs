//! The clients and the receiver of a load record answers and webhooks that the API must not send.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use hyper::Response;
use serde_json::{Value, json};
use spillway_tests::deliveries::Deliveries;
use spillway_tests::refunds::Refund;
use spillway_tests::request_log::{Repeat, RequestLog};
use spillway_tests::server::Server;
use spillway_tests::workload::{Order, USUAL, Workload};
use spillway_tests::{Deadline, RunningStack};

#[tokio::test]
async fn deliveries_record_forged_signatures_and_changed_bodies() {
    let deliveries = Deliveries::start(1).await.unwrap();
    let number = deliveries.add_merchant();
    deliveries.set_secret(number, "whsec_c2VjcmV0IG9mIHRoZSBtZXJjaGFudA==");
    let http = reqwest::Client::builder().no_proxy().build().unwrap();
    // Sent without the secret.
    let forge = |body: Value| {
        let request = http.post(deliveries.url(number)).header("webhook-id", "evt_1").header("webhook-timestamp", "1");
        request.header("webhook-signature", "v1,AAAA").body(body.to_string()).send()
    };
    forge(json!({"data": {"id": "pay_1"}})).await.unwrap();
    forge(json!({"data": {"id": "pay_2"}})).await.unwrap();
    let faults = deliveries.webhooks(number)["evt_1"].faults.join("\n");
    assert!(faults.contains("its signature is wrong"), "{faults}");
    assert!(faults.contains("its body is not always the same: data.id is pay_2, not pay_1"), "{faults}");
}

/// Faults that a client records if its requests get this status, and this body by the number of the request.
async fn oddities(status: u16, repeat: Repeat, body: impl Fn(usize) -> Value + Send + Sync + 'static) -> String {
    let (answers, body) = (Arc::new(AtomicUsize::new(0)), Arc::new(body));
    let server = Server::start(move |_| {
        let body = body(answers.fetch_add(1, Ordering::Relaxed)).to_string();
        std::future::ready(Ok(Response::builder().status(status).body(body.into()).unwrap()))
    });
    let server = server.await.unwrap();
    let client = RunningStack::of(json!({"base_url": server.url()})).client("sk_test_liar");
    let (requests, order) = (RequestLog::default(), Workload::new(2, "order", USUAL).next().unwrap());
    requests.pay(&client, order, Deadline::SOON, repeat).await;
    requests.sent()[0].oddities.join("\n")
}

#[tokio::test]
async fn the_log_records_wrong_refusals_and_replays() {
    let refused = oddities(401, Repeat::After, |_| json!({"code": "unauthorized"})).await;
    assert!(refused.contains("order-1 was answered 401"), "{refused}");
    // An API that creates two payments for one key.
    let Order { amount, currency, .. } = Workload::new(2, "order", USUAL).next().unwrap();
    let payment = move |number| json!({"id": format!("pay_{number}"), "amount": amount, "currency": currency, "status": "processing"});
    let doubled = oddities(202, Repeat::After, payment).await;
    assert!(doubled.contains("order-1 was repeated and answered otherwise: id is pay_1, not pay_0"), "{doubled}");
    assert!(doubled.contains("order-1 was repeated and not answered as a replay"), "{doubled}");
    let at_once = oddities(202, Repeat::AtOnce, payment).await;
    assert!(at_once.contains("order-1 was accepted twice, and neither time as a replay"), "{at_once}");
    let other = oddities(202, Repeat::Never, |_| json!({"id": "pay_1", "amount": 1, "currency": "XXX"})).await;
    assert!(other.contains("order-1 was accepted as something else: amount is 1, not "), "{other}");
}

/// Refused with a reason that the payment does not give, or with a status other than 409.
#[tokio::test]
async fn the_log_records_refunds_refused_without_reason() {
    for (status, code, is_odd) in [
        (409, "amount_exceeds_refundable", false),
        (409, "payment_not_refundable", true),
        (422, "amount_exceeds_refundable", true),
    ] {
        let body = json!({"code": code}).to_string();
        let server = Server::start(move |_| {
            std::future::ready(Ok(Response::builder().status(status).body(body.clone().into()).unwrap()))
        });
        let server = server.await.unwrap();
        let client = RunningStack::of(json!({"base_url": server.url()})).client("sk_test_liar");
        let order = Workload::new(2, "order", USUAL).find(Order::succeeds).unwrap();
        let refund = Refund { key: "refund-1".to_owned(), payment: "pay_1".to_owned(), amount: order.amount, order };
        let requests = RequestLog::default();
        requests.refund(&client, refund, Deadline::SOON, Repeat::Never).await;
        let [sent] = requests.refunds().try_into().unwrap();
        assert_eq!((sent.oddities.is_empty(), sent.refused.is_some()), (!is_odd, !is_odd), "{status} {code}");
    }
}
