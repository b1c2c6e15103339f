//! A panic answers 500 with the request's id, is logged with its place and without its message, and its environment
//! serves the next request.
//!
//! `tests/panicking-function` panics on demand. Deployed beside the stack, it answers at `SPILLWAY_PANIC_URL`; on a
//! stack of the test's own it stands in the place of get-payment.

use reqwest::Method;
use spillway_tests::client::Answer;
use spillway_tests::target::environment::{panic_client, variable};
use spillway_tests::{Client, Deadline, Options, Stack, Template, eventually};

/// What the function panics with.
const MESSAGE: &str = "Jane Roe";

/// The function that panics on demand.
struct Panicking {
    client: Client,
    /// The stack that runs it; `None` where it is deployed.
    stack: Option<Stack>,
}

impl Panicking {
    async fn start() -> Panicking {
        if let Some(url) = variable("SPILLWAY_PANIC_URL") {
            return Panicking { client: panic_client(&url), stack: None };
        }
        assert!(variable("SPILLWAY_LAMBDA_URL").is_none(), "SPILLWAY_PANIC_URL is missing: a deployed stack is tested");
        let get_payment = ["Resources", "GetPayment", "Properties", "CodeUri"];
        let template = Template::read().with(&get_payment, "../functions/panicking-function");
        let stack = Stack::start(Options::new().unkilled().template(template)).await;
        Panicking { client: stack.new_merchant().await.client, stack: Some(stack) }
    }

    /// Answers to `calm`, or panics at `panic`.
    async fn get(&self, what: &str) -> Answer {
        match self.stack {
            Some(_) => self.client.get(&format!("/payments/{what}")).await,
            None => self.client.request(Method::GET, &format!("/{what}")).without("authorization").send().await,
        }
    }

    /// The environment that answers, and how many requests it has served.
    async fn served(&self) -> (String, u64) {
        let body = self.get("calm").await.expect(200).body;
        (body["environment"].as_str().unwrap().to_owned(), body["served"].as_u64().unwrap())
    }
}

#[tokio::test]
async fn a_panic_answers_500_and_its_environment_serves_on() {
    let panicking = Panicking::start().await;
    // A request that meets the first environment while it is busy starts a second one: then once more.
    eventually("the environment that panicked answers", Deadline::SOON, async || {
        let (environment, before) = panicking.served().await;
        let answer = panicking.get("panic").await.expect_problem(500, "internal_error");
        assert!(!answer.text.contains(MESSAGE) && !answer.text.contains("panic"), "{}", answer.text);
        let (same, after) = panicking.served().await;
        // This request, and the panic before it.
        let served_on = same == environment && after == before + 2;
        if served_on { Ok(()) } else { Err(format!("{environment} {before}, then {same} {after}")) }
    })
    .await;
    let Some(stack) = &panicking.stack else { return };
    stack.logs_panic("panicking-function", "tests/panicking-function/src/main.rs").await;
    let log = stack.log();
    assert!(!log.contains(MESSAGE) && !log.contains("the process ended"), "{log}");
    let line = log.lines().find(|line| line.contains(" 500 internal_error") && line.contains("GET /v1/payments/"));
    assert!(line.is_some(), "{log}");
}
