//! Every endpoint of the OpenAPI document, with every kind of caller that it must refuse. What a request needs is read
//! from the document, so an endpoint that comes later is checked without a line here.

use std::collections::BTreeMap;

use reqwest::Method;
use serde_json::{Value, json};
use spillway_tests::clock::in_seconds;
use spillway_tests::terms::scopes;
use spillway_tests::{Client, Deadline, Options, Stack, Template, eventually, unique};

const DOCUMENT: &str = include_str!("../../../docs/openapi.json");

/// An endpoint as the document has it.
struct Endpoint {
    method: Method,
    path: String,
    operation: Value,
}

fn endpoints() -> Vec<Endpoint> {
    let document: Value = serde_json::from_str(DOCUMENT).unwrap();
    let paths = document["paths"].as_object().unwrap();
    let operations = paths.iter().flat_map(|(path, operations)| {
        operations.as_object().unwrap().iter().map(|(method, operation)| Endpoint {
            method: method.to_uppercase().parse().unwrap(),
            path: path.clone(),
            operation: operation.clone(),
        })
    });
    let mut all: Vec<Endpoint> = operations.collect();
    // What is deleted can't be asked for any more. (Deleting it again is right.)
    all.sort_by_key(|endpoint| endpoint.method == Method::DELETE);
    all
}

impl Endpoint {
    /// The scope that it needs. None if it is public.
    fn scope(&self) -> Option<&str> {
        self.operation["security"][0]["api_key"][0].as_str()
    }

    /// The status of its success.
    fn success(&self) -> u16 {
        let statuses = self.operation["responses"].as_object().unwrap().keys();
        statuses.filter_map(|status| status.parse().ok()).find(|status| (200..300).contains(status)).unwrap()
    }

    /// Whether it starts something, which a suspended merchant may not.
    fn starts(&self) -> bool {
        let answer = &self.operation["responses"]["403"]["content"]["application/problem+json"]["schema"]["allOf"][1];
        let codes = answer["properties"]["code"]["enum"].as_array().unwrap();
        codes.contains(&json!("merchant_suspended"))
    }

    /// Whether it demands this header.
    fn has_header(&self, name: &str) -> bool {
        self.operation["parameters"].as_array().into_iter().flatten().any(|parameter| parameter["name"] == name)
    }

    /// Sends a request that is right but for its caller, with these ids in its path.
    async fn send(&self, client: &Client, ids: &BTreeMap<String, String>) -> spillway_tests::Answer {
        let mut path = self.path.strip_prefix("/v1").unwrap().to_owned();
        for (name, id) in ids {
            path = path.replace(&format!("{{{name}}}"), id);
        }
        assert!(!path.contains('{'), "nothing makes what {path} names");
        let mut request = client.request(self.method.clone(), &path);
        if self.has_header("Idempotency-Key") {
            request = request.header("idempotency-key", &unique());
        }
        if self.has_header("If-Match") {
            request = request.header("if-match", "*");
        }
        if let Some(body) = self.operation["requestBody"]["content"]["application/json"].get("example") {
            request = request.header("content-type", "application/json").body(body.to_string());
        }
        if client.secret().is_empty() {
            request = request.without("authorization");
        }
        request.send().await
    }
}

/// Makes one of each thing that a path names, by the POST to the collection before it, wherever that is.
async fn things(all: &[Endpoint], client: &Client) -> BTreeMap<String, String> {
    let mut ids = BTreeMap::new();
    for endpoint in all {
        let Some((parent, name)) = endpoint.path.split_once("/{") else { continue };
        let name = name.split_once('}').unwrap().0.to_owned();
        if ids.contains_key(&name) {
            continue;
        }
        let collection = parent.rsplit_once('/').map_or(parent, |(_, collection)| collection);
        let makes = |maker: &&Endpoint| maker.method == Method::POST && maker.path.ends_with(&format!("/{collection}"));
        let maker = all.iter().find(makes).unwrap_or_else(|| panic!("nothing makes what {} names", endpoint.path));
        // What it is made of may not be ready yet.
        let made = eventually(&format!("a {name} is made"), Deadline::SOON, async || {
            let answer = maker.send(client, &ids).await;
            if answer.status == maker.success() { Ok(answer.id().to_owned()) } else { Err(answer.text) }
        })
        .await;
        ids.insert(name, made);
    }
    ids
}

#[tokio::test]
async fn every_endpoint_refuses_every_caller_that_may_not() {
    // The addresses of the document's examples are nobody's: nothing may be posted to them.
    let no_posts = Template::without_events(&["DeliverWebhook"]);
    let stack = Stack::start(Options::new().template(no_posts).knob("CACHE_SECONDS", 1)).await;
    let all = endpoints();
    let (merchant, other) = (stack.new_merchant().await, stack.new_merchant().await);
    let owned = things(&all, &merchant.client).await;
    let kept = things(&all, &merchant.client).await;
    let foreign = things(&all, &other.client).await;
    let expired = stack.new_key(&merchant.id, json!({"expires_at": in_seconds(1)})).await;
    eventually("the key has expired", Deadline::LATER, async || {
        let answer = expired.get("/balance").await;
        if answer.status == 401 { Ok(()) } else { Err(answer.text) }
    })
    .await;
    for endpoint in &all {
        let (name, success) = (format!("{} {}", endpoint.method, endpoint.path), endpoint.success());
        println!("{name}");
        assert_eq!(endpoint.send(&merchant.client, &owned).await.status, success, "{name}, a caller who may");
        let Some(scope) = endpoint.scope() else {
            for nobody in ["", "sk_test_x"] {
                endpoint.send(&stack.client(nobody), &owned).await.expect(success);
            }
            continue;
        };
        for secret in ["", "sk_test_x", "sk_test_00000000000000000000000000000000000000"] {
            endpoint.send(&stack.client(secret), &owned).await.expect_problem(401, "unauthorized");
        }
        endpoint.send(&expired, &owned).await.expect_problem(401, "unauthorized");
        let others: Vec<String> = scopes().into_iter().filter(|known| known != scope).collect();
        assert_eq!(others.len(), scopes().len() - 1, "{name} needs an unknown scope: {scope}");
        let narrow = stack.new_key(&merchant.id, json!({"scopes": others})).await;
        endpoint.send(&narrow, &owned).await.expect_problem(403, "insufficient_scope");
        let alone = stack.new_key(&merchant.id, json!({"scopes": [scope]})).await;
        endpoint.send(&alone, &owned).await.expect(success);
        if endpoint.path.contains('{') {
            let missing = endpoint.send(&merchant.client, &foreign).await.expect_problem(404, "not_found");
            assert_eq!(missing.status, 404, "{name}, another tenant's id");
        }
    }
    stack.invoke("update-merchant", &json!({"merchant": merchant.id, "suspended": true})).await.unwrap();
    for endpoint in all.iter().filter(|endpoint| endpoint.scope().is_some()) {
        let (name, success) = (format!("{} {}", endpoint.method, endpoint.path), endpoint.success());
        if endpoint.starts() {
            eventually("the merchant is suspended", Deadline::LATER, async || {
                let answer = endpoint.send(&merchant.client, &kept).await;
                if answer.status == 403 {
                    Ok(answer.expect_problem(403, "merchant_suspended"))
                } else {
                    Err(answer.text)
                }
            })
            .await;
        } else {
            assert_eq!(endpoint.send(&merchant.client, &kept).await.status, success, "{name} of a suspended merchant");
        }
    }
}
