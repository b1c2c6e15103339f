//! The gateway calls the authorizer once for many requests, caches the answer for `CACHE_SECONDS`, and uses it for its
//! own key only.

use futures::future::join_all;
use reqwest::Method;
use spillway_tests::{Client, Deadline, Options, Stack, eventually};

/// Number of authorizer calls so far.
fn asked(stack: &Stack) -> usize {
    stack.printed("authenticate").iter().map(|lines| lines.matches("\"message\":\"invocation\"").count()).sum()
}

/// Waits for this many authorizer calls. (A log line may follow its answer.)
async fn asked_at_least(stack: &Stack, count: usize) {
    eventually("the authorizer is asked", Deadline::SOON, async || {
        let asked = asked(stack);
        if asked < count { Err(format!("asked {asked} times, not {count}")) } else { Ok(()) }
    })
    .await;
}

/// Status of the client's balance request with another key.
async fn with_key(client: &Client, secret: &str) -> u16 {
    let request = client.request(Method::GET, "/balance").without("authorization");
    request.header("authorization", &format!("Bearer {secret}")).send().await.status.as_u16()
}

#[tokio::test]
async fn a_hundred_requests_with_one_key_authorize_once() {
    // The longest allowed cache, so that no slow machine reaches its end.
    let stack = Stack::start(Options::new().keep_lines().knob("CACHE_SECONDS", 300)).await;
    let merchant = stack.new_merchant().await;
    merchant.client.get("/balance").await.expect(200);
    let requests = (0..100).map(|_| merchant.client.get("/balance"));
    join_all(requests).await.into_iter().for_each(|answer| drop(answer.expect(200)));
    // With another key, so that all lines of the first hundred requests precede the line of this one.
    let other = stack.new_merchant().await;
    other.client.get("/balance").await.expect(200);
    asked_at_least(&stack, 2).await;
    assert_eq!(asked(&stack), 2);
}

#[tokio::test]
async fn a_cached_answer_serves_its_own_key_only() {
    let stack = Stack::start(Options::new().keep_lines().knob("CACHE_SECONDS", 300)).await;
    let (first, second) = (stack.new_merchant().await, stack.new_merchant().await);
    let id = first.client.pay(1250, "USD", "tok_visa").await;
    second.client.get("/balance").await.expect(200);
    asked_at_least(&stack, 2).await;
    // Both answers are cached, each for its own key.
    first.client.get(&format!("/payments/{id}")).await.expect(200);
    second.client.get(&format!("/payments/{id}")).await.expect_problem(404, "not_found");
    let secret = first.client.secret();
    let last = if secret.ends_with('0') { '1' } else { '0' };
    let wrong = format!("{}{last}", &secret[..secret.len() - 1]);
    for _ in 0..2 {
        assert_eq!(with_key(&first.client, &wrong).await, 401);
        assert_eq!(with_key(&first.client, secret).await, 200);
    }
    // A refusal is not cached: the wrong key was checked each time.
    asked_at_least(&stack, 4).await;
    assert_eq!(asked(&stack), 4);
}

#[tokio::test]
async fn an_expired_answer_is_authorized_again() {
    let stack = Stack::start(Options::new().keep_lines().knob("CACHE_SECONDS", 1)).await;
    let client = stack.new_merchant().await.client;
    eventually("the authorizer is asked three times", Deadline::SOON, async || {
        client.get("/balance").await.expect(200);
        let asked = asked(&stack);
        if asked < 3 { Err(format!("asked {asked} times")) } else { Ok(()) }
    })
    .await;
}
