//! After a 429 or any 5xx the same request may be sent again. For a POST that is so because it has an idempotency key.

use reqwest::Method;
use spillway_tests::{Options, Stack, Template};

#[tokio::test]
async fn no_post_is_accepted_without_an_idempotency_key() {
    let routes = Template::read().routes();
    let posts = routes.iter().filter(|route| route.method == "POST");
    let paths: Vec<&str> = posts.map(|route| route.path.strip_prefix("/v1").unwrap()).collect();
    assert!(paths.contains(&"/payments") && paths.contains(&"/webhook-endpoints"), "{paths:?}");
    let stack = Stack::start(Options::new()).await;
    let client = stack.new_merchant().await.client;
    let stored = stack.table().items().await;
    for path in paths {
        let path = path.replace(['{', '}'], "");
        let request = client.request(Method::POST, &path).header("content-type", "application/json").body("{}");
        request.send().await.expect_problem(400, "idempotency_key_missing");
        let twice = request.header("idempotency-key", "one").header("idempotency-key", "one");
        twice.send().await.expect_problem(400, "idempotency_key_invalid");
    }
    assert_eq!(stack.table().items().await, stored);
}
