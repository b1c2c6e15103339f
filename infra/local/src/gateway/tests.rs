use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use axum::http::StatusCode;

use super::*;
use crate::files::tests::Scratch;
use crate::invoke::Outcome;
use crate::template::{Authorizer as AuthorizerSettings, Function, GatewayResponse, Mock, UsagePlan};

/// The function `authenticate` names its caller's plan key after the Authorization header; an endpoint answers its event.
fn answer(function: &str, payload: &[u8]) -> Outcome {
    let event: Value = serde_json::from_slice(payload).unwrap();
    let answer = match function {
        "authenticate" => serde_json::json!({
            "principalId": "mer_1",
            "usageIdentifierKey": event["headers"]["Authorization"],
            "context": {"merchant": "mer_1"},
            "policyDocument": {"Statement": [{"Action": "*", "Effect": "Allow", "Resource": "*"}]},
        }),
        "broken" => serde_json::json!({"id": "pay_1"}),
        _ => serde_json::json!({"statusCode": 200, "body": event.to_string()}),
    };
    Ok(answer.to_string().into_bytes())
}

const KEY: &str = "a-plan-key-of-the-merchant";
const OTHER_KEY: &str = "a-plan-key-of-another-merchant";

struct Stack {
    gateway: Gateway,
    now: Arc<AtomicI64>,
    _scratch: Scratch,
}

fn stack(stage: Throttle) -> Stack {
    let routes = [
        ("get-thing", "/v1/things", false),
        ("list-things", "/v1/lists", false),
        ("get-health", "/v1/health", true),
        ("broken", "/v1/broken", true),
    ];
    let routes = routes.map(|(function, path, public)| {
        Trigger::Route(Route {
            function: function.to_owned(),
            method: "GET".to_owned(),
            path: path.to_owned(),
            api_key_required: !public,
            public,
        })
    });
    let template = Template {
        functions: vec![Function { triggers: routes.into(), ..Function::default() }],
        usage_plans: vec![UsagePlan {
            logical_id: "Plan".to_owned(),
            throttle: Throttle { rate: 1, burst: 2 },
            routes: [("/v1/lists/GET".to_owned(), Throttle { rate: 1, burst: 1 })].into(),
        }],
        api: Api {
            stage: "api".to_owned(),
            throttle: Some(stage),
            routes: [("/v1/health/GET".to_owned(), Throttle { rate: 1, burst: 4 })].into(),
            authorizer: Some(AuthorizerSettings {
                name: "Keys".to_owned(),
                function: "authenticate".to_owned(),
                headers: vec!["Authorization".to_owned()],
                cache: Duration::from_secs(60),
            }),
            mocks: vec![Mock {
                path: "/v1/things".to_owned(),
                media_types: vec!["application/json".to_owned(), "text/plain".to_owned()],
                answer: GatewayResponse {
                    status: Some(405),
                    headers: [("Allow".to_owned(), "GET".to_owned())].into(),
                    body: Some(r#"{"id":"$context.requestId"}"#.to_owned()),
                },
            }],
            compression_size_min: Some(512),
            ..Api::default()
        },
        ..Template::default()
    };
    let scratch = Scratch::new();
    let file = scratch.file("plan-keys");
    let keys = serde_json::json!([
        {"id": "1", "name": "mer_1", "value": KEY, "enabled": true, "plan": "Plan"},
        {"id": "2", "name": "mer_2", "value": OTHER_KEY, "enabled": true, "plan": "Plan"},
    ]);
    std::fs::write(&file, keys.to_string()).unwrap();
    let keys = PlanKeys::open(&file, &template.usage_plans).unwrap();
    let now = Arc::new(AtomicI64::new(0));
    let clock = now.clone();
    let gateway = Gateway::new(
        &template,
        "eu-central-1",
        Functions::answering(answer),
        keys,
        Arc::new(move || clock.load(Ordering::Relaxed)),
        Log::to(false, |_| {}),
    );
    Stack { gateway, now, _scratch: scratch }
}

const PLENTY: Throttle = Throttle { rate: 1000, burst: 1000 };

async fn get(stack: &Stack, path: &str, key: Option<&str>) -> (StatusCode, Value) {
    let mut request = axum::http::Request::get(path);
    if let Some(key) = key {
        request = request.header("Authorization", key);
    }
    send(stack, request.body(Body::empty()).unwrap()).await
}

async fn send(stack: &Stack, request: Request) -> (StatusCode, Value) {
    let response = stack.gateway.answer(request, [127, 0, 0, 1].into()).await;
    let status = response.status();
    let body = to_bytes(response.into_body(), usize::MAX).await.unwrap();
    (status, serde_json::from_slice(&body).unwrap())
}

#[tokio::test]
async fn a_request_passes_the_authorizer_and_reaches_its_function() {
    let stack = stack(PLENTY);
    let (status, event) = get(&stack, "/v1/things/", Some(KEY)).await;
    assert_eq!(status, 200);
    assert_eq!(event["requestContext"]["authorizer"]["merchant"], "mer_1");
    assert_eq!(event["resource"], "/v1/things");
}

#[tokio::test]
async fn a_public_route_skips_the_authorizer() {
    let stack = stack(PLENTY);
    assert_eq!(get(&stack, "/v1/health", None).await.0, 200);
    assert_eq!(get(&stack, "/v1/things", None).await.0, 401);
}

#[tokio::test]
async fn each_key_has_the_bucket_of_its_plan() {
    let stack = stack(PLENTY);
    for expected in [200, 200, 429] {
        assert_eq!(get(&stack, "/v1/things", Some(KEY)).await.0, expected);
    }
    stack.now.store(1_000, Ordering::Relaxed);
    for expected in [200, 429] {
        assert_eq!(get(&stack, "/v1/things", Some(KEY)).await.0, expected);
    }
    let stranger = Some("a-key-that-is-in-no-plan");
    assert_eq!(get(&stack, "/v1/things", stranger).await.0, 403);
}

#[tokio::test]
async fn a_plans_limit_of_a_route_has_a_bucket_for_each_key() {
    let stack = stack(PLENTY);
    for key in [KEY, OTHER_KEY] {
        for expected in [200, 429, 429] {
            assert_eq!(get(&stack, "/v1/lists", Some(key)).await.0, expected);
        }
    }
    // The plan's own bucket is still full.
    for expected in [200, 200, 429] {
        assert_eq!(get(&stack, "/v1/things", Some(KEY)).await.0, expected);
    }
}

#[tokio::test]
async fn a_caller_sees_what_is_left_of_its_limit() {
    let stack = stack(PLENTY);
    let shown = async |path: &str, key: &str| {
        let request = axum::http::Request::get(path).header("Authorization", key).body(Body::empty()).unwrap();
        let response = stack.gateway.answer(request, [127, 0, 0, 1].into()).await;
        let header = |name: &str| response.headers().get(name).map(|value| value.to_str().unwrap().to_owned());
        (response.status().as_u16(), header("ratelimit-policy"), header("ratelimit"))
    };
    // The plan has 2 requests at once and 1 a second, so its bucket fills in 2 seconds. The list has 1 and 1.
    let expected = |status, policy: &str, limit: &str| (status, Some(policy.to_owned()), Some(limit.to_owned()));
    for (status, left) in [(200, 1), (200, 0), (429, 0)] {
        let limit = format!("\"plan\";r={left};t=1");
        assert_eq!(shown("/v1/things", KEY).await, expected(status, "\"plan\";q=2;w=2", &limit));
    }
    for status in [200, 429] {
        assert_eq!(shown("/v1/lists", KEY).await, expected(status, "\"route\";q=1;w=1", "\"route\";r=0;t=1"));
    }
    assert_eq!(shown("/v1/things", OTHER_KEY).await.2.as_deref(), Some("\"plan\";r=1;t=1"));
    stack.now.store(1_000, Ordering::Relaxed);
    assert_eq!(shown("/v1/things", KEY).await, expected(200, "\"plan\";q=2;w=2", "\"plan\";r=0;t=1"));
    // A route without a key has no limit of a caller.
    assert_eq!(shown("/v1/health", KEY).await, (200, None, None));
}

#[tokio::test]
async fn each_route_of_the_stage_has_a_bucket() {
    let stack = stack(Throttle { rate: 1, burst: 1 });
    assert_eq!(get(&stack, "/v1/things", Some(KEY)).await.0, 200);
    assert_eq!(get(&stack, "/v1/things", Some(OTHER_KEY)).await.0, 429);
    assert_eq!(get(&stack, "/v1/lists", Some(OTHER_KEY)).await.0, 200);
    // This route has a limit of its own.
    for expected in [200, 200, 200, 200, 429] {
        assert_eq!(get(&stack, "/v1/health", None).await.0, expected);
    }
}

#[tokio::test]
async fn requests_refused_by_plan_or_authorizer_take_no_token_of_the_route() {
    let stack = stack(Throttle { rate: 1, burst: 3 });
    for expected in [200, 200, 429, 429, 429] {
        assert_eq!(get(&stack, "/v1/things", Some(KEY)).await.0, expected);
    }
    for _ in 0..3 {
        assert_eq!(get(&stack, "/v1/things", None).await.0, 401);
    }
    for expected in [200, 429] {
        assert_eq!(get(&stack, "/v1/things", Some(OTHER_KEY)).await.0, expected);
    }
}

#[tokio::test]
async fn an_invalid_answer_is_a_bad_gateway() {
    let stack = stack(PLENTY);
    let (status, body) = get(&stack, "/v1/broken", None).await;
    assert_eq!(status, 502);
    assert_eq!(body["message"], "Internal server error");
    assert_eq!(get(&stack, "/v1/nothing", None).await.0, 403);
}

#[tokio::test]
async fn a_mock_answers_methods_without_a_route_to_every_caller() {
    let stack = stack(PLENTY);
    let request = |method: &str, path: &str, media_type: Option<&str>| {
        let mut request = axum::http::Request::builder().method(method).uri(path);
        if let Some(media_type) = media_type {
            request = request.header("Content-Type", media_type);
        }
        request.body(Body::empty()).unwrap()
    };
    for (method, media_type) in [
        ("POST", None),
        ("DELETE", None),
        ("HEAD", None),
        ("PUT", Some("Text/Plain; charset=utf-8")),
        ("OPTIONS", None),
    ] {
        let response = stack.gateway.answer(request(method, "/v1/things", media_type), [127, 0, 0, 1].into()).await;
        assert_eq!(response.status(), 405, "{method}");
        assert_eq!(response.headers()["allow"], "GET", "{method}");
        let id = response.headers()["x-amzn-requestid"].to_str().unwrap().to_owned();
        let body = to_bytes(response.into_body(), usize::MAX).await.unwrap();
        assert_eq!(body, format!(r#"{{"id":"{id}"}}"#));
    }
    assert_eq!(send(&stack, request("POST", "/v1/things", Some("image/png"))).await.0, 415);
    assert_eq!(send(&stack, request("TRACE", "/v1/things", None)).await.0, 403);
    assert_eq!(send(&stack, request("POST", "/v1/nothing", None)).await.0, 403);
    assert_eq!(send(&stack, request("POST", "/v1/health", None)).await.0, 403);
}

#[tokio::test]
async fn a_mock_has_a_bucket_of_its_own() {
    let stack = stack(Throttle { rate: 1, burst: 1 });
    let request = || axum::http::Request::delete("/v1/things").body(Body::empty()).unwrap();
    assert_eq!(send(&stack, request()).await.0, 405);
    assert_eq!(send(&stack, request()).await.0, 429);
}

#[tokio::test]
async fn bodies_are_decoded_and_large_answers_encoded() {
    let stack = stack(PLENTY);
    let packed = |text: &str| {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        std::io::Write::write_all(&mut encoder, text.as_bytes()).unwrap();
        encoder.finish().unwrap()
    };
    let request = |body: Vec<u8>| {
        let request = axum::http::Request::get("/v1/health").header("Content-Encoding", "gzip");
        request.header("Accept-Encoding", "br;q=0.5, gzip").body(Body::from(body)).unwrap()
    };
    // The function's answer is its event, which is larger than 512 bytes.
    let response = stack.gateway.answer(request(packed("a body")), [127, 0, 0, 1].into()).await;
    assert_eq!(response.status(), 200);
    assert_eq!(response.headers()["content-encoding"], "gzip");
    let body = to_bytes(response.into_body(), usize::MAX).await.unwrap();
    let event: Value = serde_json::from_reader(flate2::read::GzDecoder::new(body.as_ref())).unwrap();
    assert_eq!((&event["body"], &event["headers"]["Content-Encoding"]), (&"a body".into(), &"gzip".into()));
    assert_eq!(send(&stack, request(b"a body".to_vec())).await.0, 415);
}

#[tokio::test]
async fn a_long_body_and_an_incomplete_body_have_different_answers() {
    let stack = stack(PLENTY);
    let with = |body| axum::http::Request::get("/v1/health").body(body).unwrap();
    let (status, _) = send(&stack, with(Body::from(vec![b' '; BODY_LIMIT]))).await;
    assert_eq!(status, 200);
    let (status, _) = send(&stack, with(Body::from(vec![b' '; BODY_LIMIT + 1]))).await;
    assert_eq!(status, 413);
    let parts = [Ok("{\"amount\":"), Err(std::io::Error::other("invalid chunk size line"))];
    let (status, _) = send(&stack, with(Body::from_stream(futures::stream::iter(parts)))).await;
    assert_eq!(status, 400);
}
