//! One idempotency key makes one payment.

use serde_json::json;
use spillway_tests::client::expect_one_result;
use spillway_tests::{Target, unique};

/// Number of concurrent equal requests: more than there are processes.
const CONCURRENT: usize = 10;

#[tokio::test]
async fn a_repeated_request_returns_the_first_answer() {
    let target = Target::start().await;
    let client = target.any_client().await;
    let (key, right) = (unique(), super::right(&client).await);
    let first = client.create_payment(&key, &right).await.expect(202);
    assert_eq!(first.header("idempotent-replayed"), "");
    client.finished(first.id()).await;
    // The fields are in another order.
    let currency = &right["currency"];
    let body = format!(r#"{{ "token":"tok_visa", "currency":{currency},"amount":1250 }}"#);
    let again = client.payment_request(&key, &right).body(body).send().await.expect(202);
    assert_eq!((&again.body, again.header("idempotent-replayed")), (&first.body, "true"));
    assert_eq!(again.header("location"), first.header("location"));
}

#[tokio::test]
async fn a_used_key_refuses_any_other_body() {
    let target = Target::start().await;
    let client = target.any_client().await;
    let (key, bare) = (unique(), super::right(&client).await);
    client.create_payment(&key, &bare).await.expect(202);
    for (field, value) in [("amount", json!(1251)), ("capture_method", json!("automatic"))] {
        let mut other = bare.clone();
        other[field] = value;
        client.create_payment(&key, &other).await.expect_problem(422, "idempotency_key_reused");
    }
}

#[tokio::test]
async fn a_refused_request_does_not_use_its_key() {
    let target = Target::start().await;
    let client = target.any_client().await;
    let (key, right) = (unique(), super::right(&client).await);
    let mut wrong = right.clone();
    wrong["amount"] = json!(0);
    client.create_payment(&key, &wrong).await.expect_problem(422, "invalid_request");
    let answer = client.create_payment(&key, &right).await.expect(202);
    assert_eq!(answer.header("idempotent-replayed"), "");
}

#[tokio::test]
async fn concurrent_equal_requests_create_one_payment() {
    let target = Target::start().await;
    let client = target.any_client().await;
    let request = client.payment_request(&unique(), &super::right(&client).await);
    let answers = request.send_at_once(CONCURRENT).await;
    expect_one_result(&answers);
}
