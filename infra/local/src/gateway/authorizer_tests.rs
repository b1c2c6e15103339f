use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use futures::future::join_all;
use tokio::sync::Notify;

use super::*;
use crate::invoke::{InvokeError, Outcome, Run};
use crate::metrics::Metrics;

const ARN: &str = "arn:aws:execute-api:eu:000000000000:local/api/GET/v1/payments";

fn settings(cache: u64) -> Settings {
    Settings {
        name: "Keys".to_owned(),
        function: "authenticate".to_owned(),
        headers: vec!["Authorization".to_owned()],
        cache: Duration::from_secs(cache),
    }
}

fn authorizer(cache: u64, outcome: Outcome) -> (Authorizer, Arc<AtomicUsize>) {
    let calls = Arc::new(AtomicUsize::new(0));
    let settings = settings(cache);
    let counted = calls.clone();
    let functions = Functions::answering(move |_, _| {
        counted.fetch_add(1, Ordering::Relaxed);
        outcome.clone()
    });
    (Authorizer::new(settings, functions), calls)
}

fn answer(effect: &str, context: &str) -> Outcome {
    let arn = "arn:aws:execute-api:eu:000000000000:local/api/*";
    Ok(format!(
        r#"{{"principalId":"mer_1","usageIdentifierKey":"plan-key","context":{context},
            "policyDocument":{{"Version":"2012-10-17","Statement":[
                {{"Action":"execute-api:Invoke","Effect":"{effect}","Resource":"{arn}"}}]}}}}"#
    )
    .into_bytes())
}

fn error(message: &str) -> Outcome {
    Err(InvokeError::Handled { message: message.to_owned(), error_type: String::new(), payload: Vec::new() })
}

async fn identify(authorizer: &Authorizer, values: &[&'static str], now_ms: i64) -> Result<Identity, Refusal> {
    let mut headers = HeaderMap::new();
    for value in values {
        let value = axum::http::HeaderValue::from_static(value);
        headers.append("authorization", value);
    }
    authorizer.identify(&headers, ARN, now_ms, || Value::Null).await
}

#[tokio::test]
async fn an_answer_is_cached_for_its_time() {
    let (authorizer, calls) = authorizer(60, answer("Allow", r#"{"mode":"test","shards":4}"#));
    let identity = identify(&authorizer, &["Bearer a"], 0).await.unwrap();
    assert_eq!(identity.context["mode"], "test");
    assert_eq!(identity.context["shards"], "4");
    assert_eq!(identity.usage_key.as_deref(), Some("plan-key"));
    assert_eq!(identify(&authorizer, &["Bearer a"], 59_999).await, Ok(identity));
    assert_eq!(calls.load(Ordering::Relaxed), 1);
    identify(&authorizer, &["Bearer a"], 60_000).await.unwrap();
    identify(&authorizer, &["Bearer b"], 60_000).await.unwrap();
    identify(&authorizer, &["Bearer b", "Bearer a"], 60_000).await.unwrap();
    assert_eq!(calls.load(Ordering::Relaxed), 4);
}

/// An authorizer that answers when it is told to.
#[derive(Clone, Default)]
struct Held {
    calls: Arc<AtomicUsize>,
    release: Arc<Notify>,
}

impl Run for Held {
    fn run(&self, _: String, _: Vec<u8>) -> BoxFuture<'static, Outcome> {
        self.calls.fetch_add(1, Ordering::Relaxed);
        let release = Arc::clone(&self.release);
        async move {
            release.notified().await;
            answer("Allow", "{}")
        }
        .boxed()
    }
}

#[tokio::test]
async fn requests_of_one_caller_wait_for_one_call() {
    let held = Held::default();
    let authorizer = Authorizer::new(settings(60), Functions::new(held.clone(), &Metrics::default()));
    let release = async {
        while held.calls.load(Ordering::Relaxed) < 2 {
            tokio::task::yield_now().await;
        }
        held.release.notify_waiters();
    };
    let [a, b] = [&["Bearer a"], &["Bearer b"]];
    let answers = futures::future::join(join_all([a, a, a, b].map(|of| identify(&authorizer, of, 0))), release).await.0;
    assert!(answers.iter().all(Result::is_ok), "{answers:?}");
    assert_eq!(held.calls.load(Ordering::Relaxed), 2);
}

#[tokio::test]
async fn a_call_whose_caller_has_gone_ends_and_its_answer_expires() {
    let held = Held::default();
    let authorizer = Authorizer::new(settings(60), Functions::new(held.clone(), &Metrics::default()));
    assert!(identify(&authorizer, &["Bearer a"], 0).now_or_never().is_none(), "the call is held");
    while !lock(&authorizer.cache.calls).is_empty() {
        held.release.notify_waiters();
        tokio::task::yield_now().await;
    }
    assert_eq!(held.calls.load(Ordering::Relaxed), 1);
    let later = identify(&authorizer, &["Bearer a"], 60_000);
    let release = async {
        while held.calls.load(Ordering::Relaxed) < 2 {
            tokio::task::yield_now().await;
        }
        held.release.notify_waiters();
    };
    let (later, ()) =
        tokio::time::timeout(Duration::from_secs(10), futures::future::join(later, release)).await.unwrap();
    later.unwrap();
}

#[tokio::test]
async fn without_a_cache_the_authorizer_runs_for_every_request() {
    let (authorizer, calls) = authorizer(0, answer("Allow", "{}"));
    identify(&authorizer, &["Bearer a"], 0).await.unwrap();
    identify(&authorizer, &["Bearer a"], 0).await.unwrap();
    assert_eq!(calls.load(Ordering::Relaxed), 2);
}

#[tokio::test]
async fn a_request_without_the_header_is_refused_before_the_authorizer() {
    let (authorizer, calls) = authorizer(60, answer("Allow", "{}"));
    assert_eq!(identify(&authorizer, &[], 0).await, Err(Refusal::Unauthorized));
    assert_eq!(identify(&authorizer, &[""], 0).await, Err(Refusal::Unauthorized));
    assert_eq!(calls.load(Ordering::Relaxed), 0);
}

#[tokio::test]
async fn each_kind_of_failure_has_its_refusal() {
    let cases = [
        (answer("Deny", "{}"), Refusal::AccessDenied),
        (error("Unauthorized"), Refusal::Unauthorized),
        (error("unauthorized"), Refusal::AuthorizerFailure),
        (Err(InvokeError::TimedOut(3)), Refusal::AuthorizerFailure),
        (Ok(b"{}".to_vec()), Refusal::AuthorizerConfigurationError),
        (answer("Allow", r#"{"a":[]}"#), Refusal::AuthorizerConfigurationError),
    ];
    for (outcome, expected) in cases {
        let (authorizer, _) = authorizer(60, outcome);
        assert_eq!(identify(&authorizer, &["Bearer a"], 0).await, Err(expected));
    }
}

#[tokio::test]
async fn an_error_is_not_cached() {
    let (authorizer, calls) = authorizer(60, error("broken"));
    for _ in 0..2 {
        identify(&authorizer, &["Bearer a"], 0).await.unwrap_err();
    }
    assert_eq!(calls.load(Ordering::Relaxed), 2);
}
