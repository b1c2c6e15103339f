//! Past its rate a merchant gets 429 with Retry-After, and no other merchant notices.

use serde_json::json;
use spillway_tests::{Deadline, Options, Stack, eventually, unique};

#[tokio::test]
async fn past_the_plans_rate_requests_are_429_and_others_go_on() {
    let stack = Stack::start(Options::new().knob("STANDARD_PLAN_RATE", 2).knob("STANDARD_PLAN_BURST", 4)).await;
    let slow = stack.new_merchant_with(json!({"plan": "standard"})).await;
    let other = stack.new_merchant_with(json!({"plan": "standard"})).await;
    let payment = json!({"amount": 1250, "currency": "USD", "token": "tok_visa"});
    let requests = (0..20).map(|_| slow.client.payment_request(&unique(), &payment)).collect::<Vec<_>>();
    let answers = futures::future::join_all(requests.iter().map(|request| request.send())).await;
    let (accepted, refused): (Vec<_>, Vec<_>) = answers.into_iter().partition(|answer| answer.status == 202);
    assert!((4..=10).contains(&accepted.len()), "{} of 20 accepted, with a burst of 4", accepted.len());
    for answer in refused {
        let answer = answer.expect_problem(429, "rate_limited");
        assert!(answer.header("retry-after").parse::<u32>().unwrap() >= 1);
    }
    other.client.create_payment(&unique(), &payment).await.expect(202);
    eventually("the bucket fills again", Deadline::SOON, async || {
        let answer = slow.client.create_payment("later", &payment).await;
        if answer.status == 202 { Ok(()) } else { Err(answer.text) }
    })
    .await;
}

#[tokio::test]
async fn past_the_stages_rate_everybody_is_told() {
    let stack = Stack::start(Options::new().knob("STAGE_RATE", 1).knob("STAGE_BURST", 3)).await;
    let client = stack.new_merchant().await.client;
    let mut statuses = Vec::new();
    for _ in 0..10 {
        statuses.push(client.get("/balance").await.status.as_u16());
    }
    assert!(statuses.contains(&200) && statuses.contains(&429), "{statuses:?}");
}
