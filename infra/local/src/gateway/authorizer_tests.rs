use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use super::*;
use crate::invoke::{InvokeError, Outcome};

const ARN: &str = "arn:aws:execute-api:eu:000000000000:local/api/GET/v1/payments";

fn authorizer(cache: u64, outcome: Outcome) -> (Authorizer, Arc<AtomicUsize>) {
    let calls = Arc::new(AtomicUsize::new(0));
    let settings = Settings {
        name: "Keys".to_owned(),
        function: "authenticate".to_owned(),
        headers: vec!["Authorization".to_owned()],
        cache: Duration::from_secs(cache),
    };
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
