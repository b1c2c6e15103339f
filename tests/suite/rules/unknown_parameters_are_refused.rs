//! A query parameter that an endpoint does not read is refused: a misspelt filter must not return the whole list. Public
//! endpoints ignore their queries, because monitors add parameters that bypass caches.

use serde_json::json;
use spillway_tests::document::endpoints;
use spillway_tests::{Options, Stack};

#[tokio::test]
async fn every_endpoint_refuses_unknown_parameters() {
    let stack = Stack::start(Options::new()).await;
    let client = stack.new_merchant().await.client;
    let payment = client.paid(1250, "USD").await;
    let stored = stack.table().items().await.len();
    for endpoint in endpoints() {
        let path = endpoint.path.replace("{payment_id}", payment["id"].as_str().unwrap());
        for (query, names) in [("surprise=1", &["surprise"][..]), ("b&a=1&a=2", &["a", "b"])] {
            let answer = endpoint.request(&client, &format!("{path}?{query}")).send().await;
            if endpoint.scope().is_none() {
                answer.expect(200);
                continue;
            }
            let problem = answer.expect_problem(400, "unknown_parameter").body;
            let named = |name: &&str| json!({"parameter": name, "detail": "is not a parameter of this request"});
            let expected: Vec<_> = names.iter().map(named).collect();
            assert_eq!(problem["errors"], json!(expected), "{}?{query}", endpoint.name());
        }
    }
    assert_eq!(stack.table().items().await.len(), stored, "a refused request stored something");
}

#[tokio::test]
async fn a_balance_refuses_a_date_and_a_currency() {
    let stack = Stack::start(Options::new()).await;
    let client = stack.new_merchant().await.client;
    for (query, name) in [("as_of=nonsense", "as_of"), ("curency=USD", "curency"), ("limit=1", "limit"), ("=1", "")] {
        let problem = client.get(&format!("/balance?{query}")).await.expect_problem(400, "unknown_parameter").body;
        let expected = json!([{"parameter": name, "detail": "is not a parameter of this request"}]);
        assert_eq!(problem["errors"], expected, "{query}");
    }
    client.get("/balance?").await.expect(200);
    // A card number is not echoed.
    let answer = client.get("/balance?4242424242424242=1").await.expect_problem(400, "unknown_parameter");
    assert!(!answer.text.contains("4242"), "{}", answer.text);
}
