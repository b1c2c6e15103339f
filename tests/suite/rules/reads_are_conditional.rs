//! Every GET that answers 200 has an entity tag. With this tag in `If-None-Match` the answer is 304 without a body, until
//! the answer would differ.

use std::collections::{BTreeMap, BTreeSet};

use reqwest::Method;
use serde_json::Value;
use spillway_tests::document::endpoints;
use spillway_tests::{Client, Deadline, Options, Stack, eventually, unique};

/// The paths of all reads, with the ids of a payment, a refund of it and a webhook endpoint.
async fn paths(client: &Client) -> BTreeSet<String> {
    let payment = client.paid(1250, "USD").await["id"].as_str().unwrap().to_owned();
    let refund = client.refund_request(&payment, &unique(), 250).send().await.expect(202).id().to_owned();
    eventually("the refund is final", Deadline::LATER, async || {
        let refund = client.get(&format!("/refunds/{refund}")).await.expect(200).body;
        if refund["status"] == "pending" { Err(refund.to_string()) } else { Ok(()) }
    })
    .await;
    let endpoint = client.create_webhook_endpoint("https://example.com/hook", &["webhook_endpoint.*"]).await;
    let endpoint = endpoint["id"].as_str().unwrap();
    let ids = [("{payment_id}", payment.as_str()), ("{refund_id}", &refund), ("{endpoint_id}", endpoint)];
    let reads = endpoints().into_iter().filter(|endpoint| endpoint.method == Method::GET);
    let paths = reads.map(|read| ids.iter().fold(read.path, |path, (name, id)| path.replace(name, id)));
    let paths: BTreeSet<String> = paths.collect();
    assert!(paths.len() >= 10 && paths.iter().all(|path| !path.contains('{')), "{paths:?}");
    paths
}

/// The tag of each answer.
async fn tags(client: &Client, paths: &BTreeSet<String>) -> BTreeMap<String, String> {
    let mut tags = BTreeMap::new();
    for path in paths {
        let tag = client.get(path).await.expect(200).header("etag").to_owned();
        let opaque = tag.strip_prefix("W/").unwrap_or(&tag);
        assert!(opaque.len() > 2 && opaque.starts_with('"') && opaque.ends_with('"'), "{path}: {tag}");
        tags.insert(path.clone(), tag);
    }
    tags
}

#[tokio::test]
async fn a_known_answer_is_304_until_it_differs() {
    let stack = Stack::start(Options::new()).await;
    let client = stack.new_merchant().await.client;
    let paths = paths(&client).await;
    let before = tags(&client, &paths).await;
    for (path, tag) in &before {
        let full = client.get(path).await.expect(200);
        let asking = |known: &str| client.request(Method::GET, path).header("if-none-match", known);
        for known in [tag.as_str(), &format!("W/{}", tag.trim_start_matches("W/")), &format!("\"x\", {tag}"), "*"] {
            let answer = asking(known).send().await.expect(304);
            assert_eq!(answer.text, "", "{path}");
            for header in ["etag", "cache-control", "spillway-version", "ratelimit-policy"] {
                assert_eq!(answer.header(header), full.header(header), "{path} {header}");
            }
            assert!(!answer.header("request-id").is_empty(), "{path}");
        }
        for unknown in ["\"x\"", "x", tag.trim_matches('"')] {
            assert_eq!(asking(unknown).send().await.expect(200).header("etag"), tag, "{path}");
        }
    }

    // One more payment changes its list, the balance and the balance's list, and nothing else.
    client.paid(1250, "USD").await;
    let after = tags(&client, &paths).await;
    let changed: Vec<&str> = paths.iter().filter(|path| before[*path] != after[*path]).map(String::as_str).collect();
    assert_eq!(changed, ["/balance", "/balance/transactions", "/payments"]);
}

#[tokio::test]
async fn another_tenant_and_a_missing_object_get_no_304() {
    let stack = Stack::start(Options::new()).await;
    let (client, other) = (stack.new_merchant().await.client, stack.new_merchant().await.client);
    let payment = client.paid(1250, "USD").await["id"].as_str().unwrap().to_owned();
    for path in [format!("/payments/{payment}"), format!("/payments/{payment}/refunds")] {
        let asking = other.request(Method::GET, &path).header("if-none-match", "*");
        asking.send().await.expect_problem(404, "not_found");
    }
    let asking = client.request(Method::GET, "/payments?limit=0").header("if-none-match", "*");
    asking.send().await.expect_problem(400, "invalid_parameters");
    let asking = stack.client("sk_test_x").request(Method::GET, "/balance").header("if-none-match", "*");
    asking.send().await.expect_problem(401, "unauthorized");
}

#[tokio::test]
async fn only_a_public_answer_may_be_shared() {
    let stack = Stack::start(Options::new()).await;
    let client = stack.new_merchant().await.client;
    let policies = paths(&client).await;
    let mut by_policy: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for path in policies {
        let answer = client.get(&path).await.expect(200);
        by_policy.entry(answer.header("cache-control").to_owned()).or_default().push(path);
    }
    assert_eq!(by_policy.remove("no-store").unwrap(), ["/balance", "/health"]);
    assert_eq!(by_policy.remove("no-cache").unwrap(), ["/openapi.json"]);
    assert_eq!(by_policy.keys().collect::<Vec<_>>(), ["private, no-cache"]);
}

/// The tag of a list is a hash of its bytes, so it differs wherever the text differs.
#[tokio::test]
async fn pages_with_other_parameters_have_other_tags() {
    let stack = Stack::start(Options::new()).await;
    let client = stack.new_merchant().await.client;
    for _ in 0..2 {
        client.paid(1250, "USD").await;
    }
    let mut seen: BTreeMap<String, Value> = BTreeMap::new();
    for query in ["", "?limit=1", "?limit=2", "?currency=EUR", "?status=failed"] {
        let answer = client.get(&format!("/payments{query}")).await.expect(200);
        let tag = answer.header("etag").to_owned();
        let same = seen.entry(tag).or_insert_with(|| answer.body.clone());
        assert_eq!(*same, answer.body, "{query}");
    }
    // Two payments, one payment with a cursor, and none.
    assert_eq!(seen.len(), 3);
}
