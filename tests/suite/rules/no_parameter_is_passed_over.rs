//! A parameter that a route does not read is refused: a misspelt one must not be answered as if nothing were asked.

use reqwest::Method;
use serde_json::json;
use spillway_tests::client::Request;
use spillway_tests::{Client, Options, Stack, Template, unique};

/// The public routes ignore their queries: monitors and tools add to them what gets their requests past caches.
const IGNORE_THEIR_QUERIES: [&str; 2] = ["/health", "/openapi.json"];

/// The method and the path below `/v1` of each route of the template.
fn routes() -> Vec<(Method, String)> {
    let routes = Template::read().routes().into_iter();
    routes.map(|route| (route.method.parse().unwrap(), route.path.strip_prefix("/v1").unwrap().to_owned())).collect()
}

/// A request that would be served: for the route that it leads to, if what is named in the path is there.
fn right(client: &Client, method: Method, path: &str) -> Request {
    let body = match (&method, path.split('?').next()) {
        (&Method::POST, Some("/payments")) => json!({"amount": 1250, "currency": "USD", "token": "tok_visa"}),
        (&Method::POST, _) => json!({"url": "https://example.com/hook", "event_types": ["payment.*"]}),
        _ => return client.request(method, path),
    };
    let request = client.request(method, path).header("content-type", "application/json");
    request.header("idempotency-key", &unique()).body(body.to_string())
}

#[tokio::test]
async fn every_route_refuses_a_parameter_that_it_does_not_read() {
    let stack = Stack::start(Options::new()).await;
    let client = stack.new_merchant().await.client;
    let payment = client.paid(1250, "USD").await;
    let stored = stack.table().items().await.len();
    let routes = routes();
    assert!(routes.len() >= 7, "{routes:?}");
    for (method, path) in routes {
        let path = path.replace("{payment_id}", payment["id"].as_str().unwrap());
        for (query, names) in [("surprise=1", &["surprise"][..]), ("b&a=1&a=2", &["a", "b"])] {
            let answer = right(&client, method.clone(), &format!("{path}?{query}")).send().await;
            if IGNORE_THEIR_QUERIES.contains(&path.as_str()) {
                answer.expect(200);
                continue;
            }
            let problem = answer.expect_problem(400, "unknown_parameter").body;
            let named = |name: &&str| json!({"parameter": name, "detail": "is no parameter of this request"});
            let expected: Vec<_> = names.iter().map(named).collect();
            assert_eq!(problem["errors"], json!(expected), "{method} {path}?{query}");
        }
    }
    assert_eq!(stack.table().items().await.len(), stored, "a refused request stored something");
}

#[tokio::test]
async fn a_balance_is_not_given_as_of_another_day_or_in_one_currency() {
    let stack = Stack::start(Options::new()).await;
    let client = stack.new_merchant().await.client;
    for (query, name) in [("as_of=nonsense", "as_of"), ("curency=USD", "curency"), ("limit=1", "limit"), ("=1", "")] {
        let problem = client.get(&format!("/balance?{query}")).await.expect_problem(400, "unknown_parameter").body;
        let expected = json!([{"parameter": name, "detail": "is no parameter of this request"}]);
        assert_eq!(problem["errors"], expected, "{query}");
    }
    client.get("/balance?").await.expect(200);
    // A number of a card is not repeated.
    let answer = client.get("/balance?4242424242424242=1").await.expect_problem(400, "unknown_parameter");
    assert!(!answer.text.contains("4242"), "{}", answer.text);
}
