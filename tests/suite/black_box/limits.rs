//! Beyond its plan's rate a merchant gets 429 with Retry-After; other merchants are not affected.

use futures::future::join_all;
use serde_json::json;
use spillway_tests::target::parameters::number;
use spillway_tests::{Answer, Client, Deadline, Target, eventually, unique};

fn told(answer: Answer) {
    let answer = answer.expect_problem(429, "rate_limited");
    assert!(answer.header("retry-after").parse::<u32>().unwrap() >= 1);
}

/// Sends more requests at once than the plan lets through, until one is refused; returns that answer.
async fn refused(client: &Client) -> Answer {
    eventually("a request is refused", Deadline::SOON, async || {
        let answers = join_all((0..10 * number("StandardPlanBurst")).map(|_| client.get("/payments"))).await;
        let accepted = answers.len();
        answers.into_iter().find(|answer| answer.status != 200).ok_or(format!("{accepted} were accepted"))
    })
    .await
}

#[tokio::test]
async fn requests_beyond_the_plans_rate_are_429() {
    let target = Target::start().await;
    let (slow, other) = (target.limited_merchant().await, target.limited_merchant().await);
    let burst = number("StandardPlanBurst");
    let payment = json!({"amount": 1250, "currency": "USD", "token": "tok_visa"});
    let requests = (0..10 * burst).map(|_| slow.client.payment_request(&unique(), &payment)).collect::<Vec<_>>();
    let answers = join_all(requests.iter().map(|request| request.send())).await;
    let (accepted, refused): (Vec<_>, Vec<_>) = answers.into_iter().partition(|answer| answer.status == 202);
    assert!(accepted.len() >= burst, "{} accepted, with a burst of {burst}", accepted.len());
    assert!(!refused.is_empty(), "all of {} were accepted", accepted.len());
    refused.into_iter().for_each(told);
    other.client.create_payment(&unique(), &payment).await.expect(202);
    eventually("the bucket fills again", Deadline::SOON, async || {
        let answer = slow.client.create_payment("later", &payment).await;
        if answer.status == 202 { Ok(()) } else { Err(answer.text) }
    })
    .await;
}

#[tokio::test]
async fn a_throttled_merchant_does_not_affect_another() {
    let target = Target::start().await;
    let (slow, other) = (target.limited_merchant().await, target.limited_merchant().await);
    told(refused(&slow.client).await);
    // At most its burst, so that its own rate can't be the reason of a refusal.
    for _ in 0..number("StandardPlanBurst") {
        other.client.get("/payments").await.expect(200);
    }
}
