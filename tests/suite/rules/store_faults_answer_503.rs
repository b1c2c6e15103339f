//! A throttled, slow or missing store causes 503, or 500 by the authorizer, with Retry-After; the same key succeeds
//! later, once.

use serde_json::json;
use spillway_tests::oracle::settled;
use spillway_tests::store_proxy::{Fault, Matching};
use spillway_tests::{Answer, Merchant, Options, Stack, Template};

const ALWAYS: usize = usize::MAX;

fn unavailable(answer: Answer) {
    told(503, answer);
}

fn told(status: u16, answer: Answer) {
    let answer = answer.expect_problem(status, "unavailable");
    let seconds: u32 = answer.header("retry-after").parse().unwrap();
    assert!((1..=60).contains(&seconds));
}

async fn start() -> (Stack, Merchant) {
    let stack = Stack::start(Options::new().store_proxy()).await;
    let merchant = stack.new_merchant().await;
    // The authorizer's answer is cached from here on.
    merchant.client.get("/balance").await.expect(200);
    (stack, merchant)
}

#[tokio::test]
async fn a_failing_store_is_503_and_the_same_key_charges_once_later() {
    let faults = [
        Fault::Error("ThrottlingException"),
        Fault::Error("ProvisionedThroughputExceededException"),
        Fault::Error("RequestLimitExceeded"),
        Fault::Error("InternalServerError"),
        Fault::Close,
        Fault::LoseReply,
    ];
    let (stack, merchant) = start().await;
    let payment = json!({"amount": 1250, "currency": "USD", "token": "tok_visa"});
    for (number, fault) in faults.iter().enumerate() {
        let key = format!("order-{number}");
        stack.store_proxy().fault(ALWAYS, Matching::operation("PutItem").with("fingerprint"), fault.clone());
        unavailable(merchant.client.create_payment(&key, &payment).await);
        stack.store_proxy().heal();
        merchant.client.create_payment(&key, &payment).await.expect(202);
    }
    settled(&stack, &merchant.tenant(), faults.len()).await;
    assert_eq!(merchant.client.balance("USD").await, (0, 1184 * i64::try_from(faults.len()).unwrap()));
}

#[tokio::test]
async fn a_slow_store_is_503_and_its_late_write_counts_once() {
    let (stack, merchant) = start().await;
    let payment = json!({"amount": 1250, "currency": "USD", "token": "tok_visa"});
    let hold = stack.store_proxy().hold(ALWAYS, Matching::operation("PutItem").with("fingerprint"));
    // The store's answer is held until after the API's: so the API did not wait for it.
    unavailable(merchant.client.create_payment("order-1", &payment).await);
    assert!(hold.count() > 0);
    // Now the abandoned writes are forwarded.
    hold.forward();
    stack.store_proxy().heal();
    merchant.client.create_payment("order-1", &payment).await.expect(202);
    settled(&stack, &merchant.tenant(), 1).await;
    assert_eq!(merchant.client.balance("USD").await, (0, 1184));
}

#[tokio::test]
async fn reads_and_the_authorizer_answer_503_too() {
    let (stack, merchant) = start().await;
    let payment = merchant.client.paid(1250, "USD").await;
    let path = format!("/payments/{}", payment["id"].as_str().unwrap());
    let fresh_key = stack.new_key(&merchant.id, json!({})).await;
    settled(&stack, &merchant.tenant(), 1).await;
    stack.store_proxy().fault(ALWAYS, Matching::all(), Fault::Close);
    unavailable(merchant.client.get(&path).await);
    unavailable(merchant.client.get("/balance").await);
    // The gateway's own status: a mapped one would not count as 5XXError.
    told(500, fresh_key.get(&path).await);
    stack.store_proxy().heal();
    assert_eq!(merchant.client.get(&path).await.expect(200).body, payment);
    fresh_key.get(&path).await.expect(200);
}

#[tokio::test]
async fn one_lost_reply_goes_unnoticed() {
    let (stack, merchant) = start().await;
    stack.store_proxy().fault(1, Matching::operation("PutItem").with("fingerprint"), Fault::LoseReply);
    let payment = json!({"amount": 1250, "currency": "USD", "token": "tok_visa"});
    merchant.client.create_payment("order-1", &payment).await.expect(202);
    settled(&stack, &merchant.tenant(), 1).await;
}

#[tokio::test]
async fn a_slow_refund_is_503_and_the_same_key_succeeds_later() {
    // The transaction alone may take 8 s; the function has 3.
    let hurried = Template::read().with(&["Globals", "Function", "Timeout"], "3");
    let stack = Stack::start(Options::new().store_proxy().template(hurried)).await;
    let merchant = stack.new_merchant().await;
    let payment = merchant.client.paid(1000, "USD").await["id"].as_str().unwrap().to_owned();
    let request = merchant.client.refund_request(&payment, "refund-1", 400);
    let transaction = Matching::operation("TransactWriteItems").with("refundable");
    let hold = stack.store_proxy().hold(ALWAYS, transaction);
    unavailable(request.send().await);
    assert!(hold.count() > 0);
    // Now the abandoned calls are forwarded.
    hold.forward();
    stack.store_proxy().heal();
    request.send_until_served().await.unwrap().expect(202);
    settled(&stack, &merchant.tenant(), 1).await;
    assert_eq!(merchant.client.payment(&payment).await["amount_refunded"], 400);
}
