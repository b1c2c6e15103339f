//! A client may repeat any request after a 429 or 5xx: every POST requires an idempotency key.

use reqwest::Method;
use spillway_tests::document::endpoints;
use spillway_tests::{Options, Stack};

#[tokio::test]
async fn every_post_needs_one_idempotency_key() {
    let posts: Vec<_> = endpoints().into_iter().filter(|endpoint| endpoint.method == Method::POST).collect();
    assert!(!posts.is_empty());
    let stack = Stack::start(Options::new()).await;
    let client = stack.new_merchant().await.client;
    let stored = stack.table().items().await;
    for post in posts {
        let request = post.request(&client, &post.path.replace(['{', '}'], "")).without("idempotency-key");
        request.send().await.expect_problem(400, "idempotency_key_missing");
        let twice = request.header("idempotency-key", "one").header("idempotency-key", "one");
        twice.send().await.expect_problem(400, "idempotency_key_invalid");
    }
    assert_eq!(stack.table().items().await, stored);
}
