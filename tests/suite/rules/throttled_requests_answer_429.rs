//! Beyond the rate of a route every merchant gets 429 with Retry-After. (For a merchant's own rate see
//! `black_box/limits.rs`.)

use std::collections::BTreeSet;

use futures::future::{join_all, select_all};
use serde_json::json;
use spillway_tests::{Deadline, Options, Stack, eventually};

/// Number of concurrent clients: together faster than the bucket refills on any machine.
const CLIENTS: usize = 8;

#[tokio::test]
async fn requests_beyond_a_routes_rate_are_429() {
    let stack = Stack::start(Options::new().knob("STAGE_RATE", 1).knob("STAGE_BURST", 3)).await;
    let client = stack.new_merchant().await.client;
    let asking = |_| {
        Box::pin(eventually("a request is refused", Deadline::SOON, async || {
            let answer = client.get("/balance").await;
            if answer.status == 200 { Err(answer.text) } else { Ok(answer) }
        }))
    };
    let refused = select_all((0..CLIENTS).map(asking)).await.0.expect_problem(429, "rate_limited");
    assert!(refused.header("retry-after").parse::<u32>().unwrap() >= 1);
}

#[tokio::test]
async fn reads_of_the_balance_have_a_rate_of_their_own() {
    let stack = Stack::start(Options::new().knob("BALANCE_RATE", 1).knob("BALANCE_BURST", 3)).await;
    let client = stack.new_merchant().await.client;
    let answers = join_all((0..40).map(|_| client.get("/balance"))).await;
    let (served, refused): (Vec<_>, Vec<_>) = answers.into_iter().partition(|answer| answer.status == 200);
    assert!(served.len() >= 3 && !refused.is_empty(), "{} served", served.len());
    for answer in refused {
        answer.expect_problem(429, "rate_limited");
    }
    for answer in join_all((0..40).map(|_| client.get("/balance/transactions"))).await {
        answer.expect(200);
    }
}

/// The functions show the limits of the authorizer's settings, and the runner those of the template's usage plans.
#[tokio::test]
async fn a_merchant_sees_the_limits_of_its_plan() {
    let knobs = [
        ("STANDARD_PLAN_RATE", 1),
        ("STANDARD_PLAN_BURST", 3),
        ("STANDARD_PLAN_LIST_RATE", 1),
        ("HIGH_PLAN_RATE", 2),
        ("HIGH_PLAN_BURST", 5),
        ("HIGH_PLAN_LIST_RATE", 2),
        ("BALANCE_RATE", 1),
        ("BALANCE_BURST", 4),
    ];
    let options = knobs.into_iter().fold(Options::new(), |options, (name, value)| options.knob(name, value));
    let stack = Stack::start(options).await;
    // A bucket of 3 that gets 1 a second fills in 3 seconds, and one of 5 that gets 2 in 2.5 seconds.
    for (plan, [all, list]) in
        [("standard", ["\"plan\";q=3;w=3", "\"route\";q=1;w=1"]), ("high", ["\"plan\";q=5;w=3", "\"route\";q=2;w=1"])]
    {
        let client = stack.new_merchant_with(json!({"plan": plan})).await.client;
        let missing = "/payments/pay_00000000000000000000000000";
        for (path, policy) in [(missing, all), ("/payments", list), ("/balance", "\"route\";q=4;w=4")] {
            let name = policy.split(';').next().unwrap();
            let answers = join_all((0..40).map(|_| client.get(path))).await;
            let (refused, served): (Vec<_>, Vec<_>) = answers.into_iter().partition(|answer| answer.status == 429);
            assert!(!refused.is_empty() && !served.is_empty(), "{plan} {path}: {} served", served.len());
            let left: BTreeSet<&str> = served.iter().map(|answer| answer.header("ratelimit")).collect();
            let size: usize = policy.split(['=', ';']).nth(2).unwrap().parse().unwrap();
            // The first burst counts down to nothing. Tokens that come meanwhile count down again.
            let expected: BTreeSet<String> = (0..size).map(|left| format!("{name};r={left};t=1")).collect();
            assert_eq!(left, expected.iter().map(String::as_str).collect(), "{plan} {path}");
            assert!(
                served.iter().all(|answer| answer.header("ratelimit-policy") == policy),
                "{plan} {path}: {served:?}"
            );
            for answer in refused {
                let answer = answer.expect_problem(429, "rate_limited");
                let shown = ["ratelimit-policy", "ratelimit", "retry-after"].map(|name| answer.header(name));
                assert_eq!(shown, [policy, &format!("{name};r=0;t=1"), "1"], "{plan} {path}");
            }
        }
    }
}

#[tokio::test]
async fn a_plan_limits_each_list_apart() {
    let stack = Stack::start(Options::new().knob("HIGH_PLAN_LIST_RATE", 1).knob("BALANCE_BURST", 40)).await;
    let client = stack.new_merchant().await.client;
    let payment = client.pay(1250, "USD", "tok_visa").await;
    let refunds = format!("/payments/{payment}/refunds");
    for list in ["/payments", "/balance/transactions", "/webhook-endpoints", refunds.as_str()] {
        // At once more than the bucket of one token refills in half a minute.
        let answers = join_all((0..32).map(|_| client.get(list))).await;
        let statuses: BTreeSet<u16> = answers.iter().map(|answer| answer.status.as_u16()).collect();
        assert_eq!(statuses, BTreeSet::from([200, 429]), "{list}");
    }
    join_all((0..32).map(async |_| client.get("/balance").await.expect(200))).await;
}
