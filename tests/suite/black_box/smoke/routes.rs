//! `GET /v1/health`, and unknown routes.

use std::collections::{BTreeMap, BTreeSet};

use reqwest::Method;
use spillway_tests::Target;
use spillway_tests::document::endpoints;

#[tokio::test]
async fn health_needs_no_key() {
    let target = Target::start().await;
    let nobody = target.client("");
    nobody.request(Method::GET, "/health").without("authorization").send().await.expect(200);
}

#[tokio::test]
async fn head_of_health_has_no_body() {
    let target = Target::start().await;
    let nobody = target.client("");
    let get = nobody.request(Method::GET, "/health").without("authorization").send().await.expect(200);
    let head = nobody.request(Method::HEAD, "/health").without("authorization").send().await.expect(200);
    assert_eq!(head.text, "");
    for header in ["content-type", "cache-control"] {
        assert_eq!(head.header(header), get.header(header), "{header}");
    }
}

#[tokio::test]
async fn an_unknown_path_is_not_found() {
    let target = Target::start().await;
    let client = target.any_client().await;
    for (method, path) in [
        (Method::GET, "/nothing"),
        (Method::GET, ""),
        (Method::POST, "/payment"),
        (Method::GET, "/payments/pay_00000000000000000000000000/more"),
    ] {
        let request = client.request(method, path);
        for request in [request.clone(), request.without("authorization")] {
            let answer = request.send().await.expect_problem(404, "not_found");
            assert_eq!(answer.body["detail"], "There is no such path.");
        }
    }
}

#[tokio::test]
async fn an_unknown_method_is_not_allowed() {
    let target = Target::start().await;
    let client = target.any_client().await;
    let all = ["DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT"].map(|name| name.parse::<Method>().unwrap());
    for (path, mut allowed) in methods() {
        // The only endpoint with HEAD.
        if path == "/health" {
            allowed.insert("HEAD".to_owned());
        }
        let allow = allowed.iter().cloned().collect::<Vec<_>>().join(", ");
        for method in all.iter().filter(|method| !allowed.contains(method.as_str())) {
            let request = client.request(method.clone(), &path.replace(['{', '}'], ""));
            let form = request.clone().header("content-type", "application/x-www-form-urlencoded").body("a=b");
            for request in [request.clone(), request.without("authorization"), form] {
                let answer = request.send().await.expect(405);
                assert_eq!(answer.header("allow"), allow, "{method} {path}");
                if method != Method::HEAD {
                    answer.expect_problem(405, "method_not_allowed");
                }
            }
        }
    }
}

/// The methods of each path of the OpenAPI document.
fn methods() -> BTreeMap<String, BTreeSet<String>> {
    let mut methods: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for endpoint in endpoints() {
        methods.entry(endpoint.path).or_default().insert(endpoint.method.to_string());
    }
    methods
}
