//! A function that panics answers 500 and serves the next request from the same environment. It exists only for tests
//! and is deployed beside the others: `SPILLWAY_PANIC_URL` says where. On a stack of one's own the promise is held by
//! `rules/panics_are_survived.rs`.

use reqwest::Method;
use serde_json::Value;
use spillway_tests::target::environment::{panic_client, variable};
use spillway_tests::{Client, Deadline, eventually};

async fn calm(client: &Client) -> Value {
    client.request(Method::GET, "/calm").without("authorization").send().await.expect(200).body
}

#[tokio::test]
async fn a_panicking_function_answers_500_and_its_environment_serves_on() {
    let Some(url) = variable("SPILLWAY_PANIC_URL") else {
        assert!(variable("SPILLWAY_LAMBDA_URL").is_none(), "SPILLWAY_PANIC_URL is missing: a deployed stack is tested");
        return;
    };
    let client = panic_client(&url);
    let before = calm(&client).await;
    let request = client.request(Method::GET, "/panic").without("authorization");
    let answer = request.send().await.expect_problem(500, "internal_error");
    assert!(!answer.text.contains("panic"), "{}", answer.text);
    // A second environment may have been started for a request that met the first before it was free again.
    let after = eventually("the environment that panicked answers", Deadline::SOON, async || {
        let after = calm(&client).await;
        if after["environment"] == before["environment"] { Ok(after) } else { Err(after.to_string()) }
    })
    .await;
    let served = |answer: &Value| answer["served"].as_u64().unwrap();
    assert!(served(&after) > served(&before), "{before}, then {after}");
}
