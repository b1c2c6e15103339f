//! `make smoke`, without the build: it tells what holds and what does not, and why it can't begin.

use std::env;

use spillway_tests::make::{self, Output};
use spillway_tests::server::Server;
use spillway_tests::{Options, Stack};

async fn smoke(url: &str, key: &str) -> Output {
    let mut smoke = make::command(Stack::runner().with_file_name("smoke"));
    smoke.env("URL", url).env("KEY", key).env("SUITE", env::current_exe().unwrap());
    make::output(smoke).await
}

#[tokio::test]
async fn every_check_is_told_and_holds_on_a_stack_that_is_right() {
    let stack = Stack::start(Options::new().unkilled()).await;
    let output = smoke(stack.base_url(), stack.developers_key()).await;
    assert!(output.succeeded, "{output:#?}");
    for shown in ["ok      a payment is accepted and charged  (", "checks held."] {
        assert!(output.shown.contains(shown), "{shown} is not in {}", output.shown);
    }
    let lines: Vec<&str> = output.shown.lines().filter(|line| line.starts_with("  ok ")).collect();
    assert!(lines.len() > 10, "{}", output.shown);
    assert!(output.shown.contains(&format!("{0} of {0} checks held.", lines.len())), "{}", output.shown);
}

#[tokio::test]
async fn under_a_plan_of_few_requests_the_checks_are_only_slower() {
    let plan = Options::new().knob("HIGH_PLAN_RATE", 50).knob("HIGH_PLAN_BURST", 5);
    let stack = Stack::start(plan.unkilled()).await;
    let output = smoke(stack.base_url(), stack.developers_key()).await;
    assert!(output.succeeded && output.shown.contains("checks held."), "{output:#?}");
}

#[tokio::test]
async fn a_check_that_does_not_hold_is_told_with_the_reason() {
    // Whoever pays here is never told the end of it, and finds no list.
    let answer = |request: hyper::Request<hyper::body::Bytes>| async move {
        let body = match request.uri().path() {
            "/v1/health" => r#"{"object": "health"}"#,
            _ => r#"{"object": "balance", "balances": [{"currency": "USD", "available": 0, "pending": 0}]}"#,
        };
        Ok(hyper::Response::new(body.into()))
    };
    let server = Server::start(answer).await.unwrap();
    let output = smoke(&format!("{}/v1", server.url()), "sk_test_x").await;
    assert!(!output.succeeded, "{output:#?}");
    for shown in ["ok      health needs no key", "FAILED  an unknown path is not found", "left: (200, None)"] {
        assert!(output.shown.contains(shown), "{shown} is not in {}", output.shown);
    }
}

#[tokio::test]
async fn what_keeps_it_from_beginning_is_one_sentence() {
    let stack = Stack::start(Options::new()).await;
    let (url, key) = (stack.base_url(), stack.developers_key());
    for (url, key, told) in [
        ("", key, "Give the API's address and a test key: make smoke URL="),
        (url, "", "Give the API's address and a test key: make smoke URL="),
        ("127.0.0.1", key, "127.0.0.1 is no address"),
        ("http://127.0.0.1:9/v1", key, "Nothing answers at http://127.0.0.1:9/v1: "),
        (url.trim_end_matches("/v1"), key, "/health answered 404 Not Found, and no Spillway does. "),
        (url, "sk_live_x", "The key does not begin with sk_test_"),
        (url, "sk_test_x", "The key is not valid there"),
    ] {
        let output = smoke(url, key).await;
        assert!(!output.succeeded && output.shown.is_empty(), "{output:#?}");
        assert!(output.told.contains(told) && output.told.lines().count() == 1, "{told}: {output:#?}");
    }
}
