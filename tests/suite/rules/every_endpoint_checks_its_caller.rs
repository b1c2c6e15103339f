//! Every endpoint of the OpenAPI document refuses every caller without the right: no key, a wrong, expired or narrow
//! one, another merchant's, a suspended merchant's.

use std::collections::BTreeMap;

use reqwest::Method;
use serde_json::json;
use spillway_tests::clock::in_seconds;
use spillway_tests::document::{Endpoint, endpoints};
use spillway_tests::terms::scopes;
use spillway_tests::{Answer, Client, Deadline, Options, Stack, Template, eventually};

/// All endpoints, deletions last: a deleted object answers 404. (A repeated deletion succeeds.)
fn ordered_endpoints() -> Vec<Endpoint> {
    let mut all = endpoints();
    all.sort_by_key(|endpoint| endpoint.method == Method::DELETE);
    all
}

/// Sends a valid request of this caller, with these ids in its path.
async fn send(endpoint: &Endpoint, client: &Client, ids: &BTreeMap<String, String>) -> Answer {
    let mut path = endpoint.path.clone();
    for (name, id) in ids {
        path = path.replace(&format!("{{{name}}}"), id);
    }
    assert!(!path.contains('{'), "no endpoint creates the objects of {path}");
    let request = endpoint.request(client, &path);
    let request = if client.secret().is_empty() { request.without("authorization") } else { request };
    request.send().await
}

/// Creates one object for each path parameter, with the POST to its collection; returns the ids.
async fn objects(all: &[Endpoint], client: &Client) -> BTreeMap<String, String> {
    let mut ids = BTreeMap::new();
    for endpoint in all {
        let Some((parent, name)) = endpoint.path.split_once("/{") else { continue };
        let name = name.split_once('}').unwrap().0.to_owned();
        if ids.contains_key(&name) {
            continue;
        }
        let collection = parent.rsplit_once('/').map_or(parent, |(_, collection)| collection);
        let makes = |maker: &&Endpoint| maker.method == Method::POST && maker.path.ends_with(&format!("/{collection}"));
        let maker =
            all.iter().find(makes).unwrap_or_else(|| panic!("no endpoint creates the objects of {}", endpoint.path));
        // The objects that it needs may not be ready yet.
        let made = eventually(&format!("a {name} is created"), Deadline::SOON, async || {
            let answer = send(maker, client, &ids).await;
            if answer.status == maker.success() { Ok(answer.id().to_owned()) } else { Err(answer.text) }
        })
        .await;
        ids.insert(name, made);
    }
    ids
}

#[tokio::test]
async fn every_endpoint_refuses_callers_without_the_right() {
    // The URLs of the document's examples belong to nobody: no webhook may be sent to them.
    let no_posts = Template::without_events(&["DeliverWebhook"]);
    let stack = Stack::start(Options::new().template(no_posts).knob("CACHE_SECONDS", 1)).await;
    let all = ordered_endpoints();
    let (merchant, other) = (stack.new_merchant().await, stack.new_merchant().await);
    let owned = objects(&all, &merchant.client).await;
    let for_suspended = objects(&all, &merchant.client).await;
    let foreign = objects(&all, &other.client).await;
    let expired = stack.new_key(&merchant.id, json!({"expires_at": in_seconds(1)})).await;
    eventually("the key has expired", Deadline::LATER, async || {
        let answer = expired.get("/balance").await;
        if answer.status == 401 { Ok(()) } else { Err(answer.text) }
    })
    .await;
    for endpoint in &all {
        let (name, success) = (endpoint.name(), endpoint.success());
        println!("{name}");
        assert_eq!(send(endpoint, &merchant.client, &owned).await.status, success, "{name}, a caller with the right");
        let Some(scope) = endpoint.scope() else {
            for nobody in ["", "sk_test_x"] {
                send(endpoint, &stack.client(nobody), &owned).await.expect(success);
            }
            continue;
        };
        for secret in ["", "sk_test_x", "sk_test_00000000000000000000000000000000000000"] {
            send(endpoint, &stack.client(secret), &owned).await.expect_problem(401, "unauthorized");
        }
        send(endpoint, &expired, &owned).await.expect_problem(401, "unauthorized");
        let others: Vec<String> = scopes().into_iter().filter(|known| known != scope).collect();
        assert_eq!(others.len(), scopes().len() - 1, "{name} needs an unknown scope: {scope}");
        let narrow = stack.new_key(&merchant.id, json!({"scopes": others})).await;
        send(endpoint, &narrow, &owned).await.expect_problem(403, "insufficient_scope");
        let alone = stack.new_key(&merchant.id, json!({"scopes": [scope]})).await;
        send(endpoint, &alone, &owned).await.expect(success);
        if endpoint.path.contains('{') {
            let missing = send(endpoint, &merchant.client, &foreign).await.expect_problem(404, "not_found");
            assert_eq!(missing.status, 404, "{name}, another tenant's id");
        }
    }
    stack.invoke("update-merchant", &json!({"merchant": merchant.id, "suspended": true})).await.unwrap();
    for endpoint in all.iter().filter(|endpoint| endpoint.scope().is_some()) {
        let (name, success) = (endpoint.name(), endpoint.success());
        if endpoint.needs_active_merchant() {
            eventually("the merchant is suspended", Deadline::LATER, async || {
                let answer = send(endpoint, &merchant.client, &for_suspended).await;
                if answer.status == 403 {
                    Ok(answer.expect_problem(403, "merchant_suspended"))
                } else {
                    Err(answer.text)
                }
            })
            .await;
        } else {
            assert_eq!(
                send(endpoint, &merchant.client, &for_suspended).await.status,
                success,
                "{name} of a suspended merchant"
            );
        }
    }
}
