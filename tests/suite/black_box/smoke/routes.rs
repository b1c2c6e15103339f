//! `GET /v1/health`, and what is no route at all.

use reqwest::Method;
use spillway_tests::Target;

#[tokio::test]
async fn health_needs_no_key() {
    let target = Target::start().await;
    let nobody = target.client("");
    nobody.request(Method::GET, "/health").without("authorization").send().await.expect(200);
}

#[tokio::test]
async fn an_unknown_route_or_method_is_not_found() {
    let target = Target::start().await;
    let client = target.any_client().await;
    let unknown = [
        (Method::GET, "/nothing"),
        (Method::GET, ""),
        (Method::DELETE, "/payments"),
        (Method::PUT, "/payments"),
        (Method::POST, "/payments/pay_00000000000000000000000000"),
        (Method::GET, "/payments/pay_00000000000000000000000000/more"),
        (Method::POST, "/balance"),
        (Method::POST, "/health"),
    ];
    for (method, path) in unknown {
        let request = client.request(method, path);
        request.send().await.expect_problem(404, "not_found");
        request.without("authorization").send().await.expect_problem(404, "not_found");
    }
}
