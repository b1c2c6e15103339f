//! `make smoke`, without the build, prints each check with its result.

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
async fn every_check_passes_on_a_correct_stack() {
    let stack = Stack::start(Options::new().unkilled()).await;
    let output = smoke(stack.base_url(), stack.developers_key()).await;
    assert!(output.succeeded, "{output:#?}");
    for shown in ["ok      a payment is accepted and charged  (", "checks held."] {
        assert!(output.stdout.contains(shown), "{shown} is not in {}", output.stdout);
    }
    let lines: Vec<&str> = output.stdout.lines().filter(|line| line.starts_with("  ok ")).collect();
    assert!(lines.len() > 10, "{}", output.stdout);
    assert!(output.stdout.contains(&format!("{0} of {0} checks held.", lines.len())), "{}", output.stdout);
}

#[tokio::test]
async fn a_failed_check_is_shown_with_its_reason() {
    // A payment never becomes final here, and there is no list.
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
        assert!(output.stdout.contains(shown), "{shown} is not in {}", output.stdout);
    }
}
