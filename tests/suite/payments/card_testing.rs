//! Payments of a customer or a card that failed too often are refused, and those of others are not.

use futures::future::join_all;
use futures::{StreamExt as _, stream};
use serde_json::{Value, json};
use spillway_tests::{Answer, Client, Deadline, Options, Stack, eventually, unique};

const CODE: &str = "too_many_failed_payments";

/// Without a rate limit of the gateway, which would refuse the requests of a test first.
fn options() -> Options {
    Options::new().knob("STANDARD_PLAN_RATE", 10_000).knob("STANDARD_PLAN_BURST", 20_000)
}

fn payment(customer: Option<&str>, token: &str) -> Value {
    let mut payment = json!({"amount": 1250, "currency": "USD", "token": token});
    if let Some(customer) = customer {
        payment["customer"] = json!(customer);
    }
    payment
}

async fn pay(client: &Client, customer: Option<&str>, token: &str) -> Answer {
    client.create_payment(&unique(), &payment(customer, token)).await
}

async fn fails(client: &Client, customer: Option<&str>, token: &str) -> Value {
    let failed = client.finished(pay(client, customer, token).await.expect(202).id()).await;
    assert_eq!(failed["status"], "failed", "{failed}");
    failed
}

#[tokio::test]
async fn a_thousand_attempts_with_200_cards_end_after_ten() {
    let stack = Stack::start(options()).await;
    let client = stack.new_merchant().await.client;
    let thief = Some("cus_thief");
    let first = unique();
    let sent = payment(thief, "tok_declined_0");
    client.finished(client.create_payment(&first, &sent).await.expect(202).id()).await;
    for number in 1..10 {
        fails(&client, thief, &format!("tok_declined_{number}")).await;
    }
    let attempts = stream::iter(10..1_000).map(|number| {
        let client = &client;
        // One of them would be approved.
        let token = if number == 500 { "tok_visa_1".to_owned() } else { format!("tok_declined_{}", number % 200) };
        async move { pay(client, thief, &token).await }
    });
    let answers: Vec<Answer> = attempts.buffer_unordered(16).collect().await;
    assert_eq!(answers.len(), 990);
    for answer in answers {
        let wait_s = answer.expect_problem(429, CODE).retry_after().unwrap().as_secs();
        assert!((1..=360).contains(&wait_s), "{wait_s}");
    }
    // A repeated request gets its first answer.
    client.create_payment(&first, &sent).await.expect(202);
    // Others pay: other customers with these cards, payments without a customer, and another merchant's customer.
    pay(&client, Some("cus_honest"), "tok_visa").await.expect(202);
    fails(&client, Some("cus_honest"), "tok_declined_7").await;
    pay(&client, None, "tok_visa").await.expect(202);
    pay(&stack.new_merchant().await.client, thief, "tok_visa").await.expect(202);
}

#[tokio::test]
async fn a_card_has_a_limit_of_its_own() {
    let stack = Stack::start(options().knob("FAILED_PAYMENTS_MAX", 2)).await;
    let client = stack.new_merchant().await.client;
    for customer in ["cus_1", "cus_2"] {
        fails(&client, Some(customer), "tok_declined_5").await;
    }
    pay(&client, Some("cus_3"), "tok_declined_5").await.expect_problem(429, CODE);
    pay(&client, None, "tok_declined_5").await.expect_problem(429, CODE);
    // Nobody's card.
    for _ in 0..3 {
        fails(&client, None, "tok_declined").await;
    }
}

#[tokio::test]
async fn failures_at_the_same_time_are_all_counted() {
    let limits = options().knob("FAILED_PAYMENTS_MAX", 100).knob("FAILED_PAYMENTS_REFILL_SECONDS", 3_600);
    let stack = Stack::start(limits).await;
    let merchant = stack.new_merchant().await;
    let failed = join_all((0..12).map(|_| fails(&merchant.client, Some("cus_1"), "tok_declined"))).await;
    let buckets: Vec<_> = stack.table().items().await.into_iter().filter(|item| item["sk"] == "failures").collect();
    let [bucket] = buckets.as_slice() else { panic!("{buckets:?}") };
    // The first failure fills the bucket in an hour, each further one makes it an hour more.
    let hours = |text: &Value, hours| (time(text) + time::Duration::hours(hours)).to_string();
    let full_at = hours(&bucket["full_at"], 0);
    assert!(failed.iter().any(|payment| hours(&payment["updated_at"], 12) == full_at), "{bucket:?} {failed:?}");
}

fn time(text: &Value) -> time::OffsetDateTime {
    let format = &time::format_description::well_known::Rfc3339;
    time::OffsetDateTime::parse(text.as_str().unwrap(), format).unwrap()
}

#[tokio::test]
async fn payments_are_accepted_again_when_a_token_is_back() {
    let limits = options().knob("FAILED_PAYMENTS_MAX", 1).knob("FAILED_PAYMENTS_REFILL_SECONDS", 3);
    let stack = Stack::start(limits).await;
    let client = stack.new_merchant().await.client;
    fails(&client, Some("cus_1"), "tok_declined").await;
    eventually("a token is back", Deadline::SOON, async || {
        let answer = pay(&client, Some("cus_1"), "tok_visa").await;
        if answer.status == 202 { Ok(()) } else { Err(answer.expect_problem(429, CODE).text) }
    })
    .await;
}

#[tokio::test]
async fn without_a_limit_nothing_is_counted() {
    let stack = Stack::start(options().knob("FAILED_PAYMENTS_MAX", 0)).await;
    let client = stack.new_merchant().await.client;
    for _ in 0..12 {
        fails(&client, Some("cus_1"), "tok_declined_1").await;
    }
    assert!(stack.table().items().await.iter().all(|item| item["sk"] != "failures"));
}
