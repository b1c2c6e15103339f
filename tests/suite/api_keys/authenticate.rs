//! The authorizer: which keys are accepted.

use serde_json::{Value, json};
use spillway_tests::client::Request;
use spillway_tests::clock::in_seconds;
use spillway_tests::{Client, Deadline, Options, Stack, eventually, unique};

/// Lifetime of a key that a test uses and then sees expire.
const LIFETIME_SECONDS: i64 = 15;

async fn expires(client: &Client) {
    eventually("the key has expired", Deadline::LATER, async || {
        let answer = client.get("/balance").await;
        if answer.status == 401 { Ok(answer.expect_anonymous_problem(401, "unauthorized")) } else { Err(answer.text) }
    })
    .await;
}

#[tokio::test]
async fn all_invalid_keys_get_the_same_answer_and_store_nothing() {
    let stack = Stack::start(Options::new()).await;
    let merchant = stack.new_merchant().await;
    let secret = merchant.client.secret().to_owned();
    let expired = stack.new_key(&merchant.id, json!({"expires_at": in_seconds(LIFETIME_SECONDS)})).await;
    expires(&expired).await;
    let request =
        merchant.client.payment_request(&unique(), &json!({"amount": 1250, "currency": "USD", "token": "tok_visa"}));
    let none = request.clone().without("authorization");
    let with = |value: &str| none.clone().header("authorization", value);
    let refused: Vec<Request> = vec![
        none.clone(),
        with("Bearer sk_test_00000000000000000000000000000000000000"),
        with(&format!("Bearer {}", expired.secret())),
        none.clone().header_bytes("authorization", b"Bearer \xff\xfe"),
        request.clone().header("authorization", &format!("Bearer {secret}")),
        request.header("authorization", &format!("Bearer {}", expired.secret())),
    ];
    let stored = stack.table().items().await.len();
    let mut answers = Vec::new();
    for request in refused {
        let answer = request.send().await;
        assert_eq!(answer.status, 401, "{request:?} gave {}", answer.text);
        answers.push(answer.expect_anonymous_problem(401, "unauthorized"));
    }
    assert!(answers.iter().all(|answer| answer == &answers[0]), "{answers:#?}");
    assert_eq!(stack.table().items().await.len(), stored);
}

/// The gateway's request to the authorizer, with these Authorization headers.
fn question(authorizations: &[&str]) -> Value {
    json!({"type": "REQUEST", "methodArn": "arn:aws:execute-api:us-east-1:000000000000:api/v1/GET/v1/balance",
        "resource": "/v1/balance", "path": "/v1/balance", "httpMethod": "GET",
        "headers": {"Authorization": authorizations.last()}, "multiValueHeaders": {"Authorization": authorizations}})
}

#[tokio::test]
async fn the_authorizer_refuses_expired_keys_and_repeated_headers() {
    let stack = Stack::start(Options::new()).await;
    let merchant = stack.new_merchant().await;
    let right = format!("Bearer {}", merchant.client.secret());
    let answer = stack.invoke("authenticate", &question(&[&right])).await.unwrap();
    assert_eq!(answer["context"]["merchant"], merchant.id.as_str());
    for twice in [[right.as_str(), right.as_str()], ["Basic x", &right], [&right, "Basic x"]] {
        let error = stack.invoke("authenticate", &question(&twice)).await.unwrap_err();
        assert_eq!(error["errorMessage"], "Unauthorized");
    }
    let expiring = stack.new_key(&merchant.id, json!({"expires_at": in_seconds(LIFETIME_SECONDS)})).await;
    let expiring = format!("Bearer {}", expiring.secret());
    let refusal = eventually("the authorizer refuses the expired key", Deadline::SOON, async || {
        match stack.invoke("authenticate", &question(&[&expiring])).await {
            Ok(answer) => Err(answer.to_string()),
            Err(error) => Ok(error),
        }
    })
    .await;
    assert_eq!(refusal["errorMessage"], "Unauthorized");
}

#[tokio::test]
async fn endpoints_refuse_repeated_headers_despite_a_cached_answer() {
    let stack = Stack::start(Options::new()).await;
    let merchant = stack.new_merchant().await;
    let right = format!("Bearer {}", merchant.client.secret());
    let context = stack.invoke("authenticate", &question(&[&right])).await.unwrap()["context"].clone();
    let balance = async |authorizations: &[&str]| {
        let mut request = question(authorizations);
        request["requestContext"] =
            json!({"requestId": unique(), "httpMethod": "GET", "path": "/v1/balance", "authorizer": context});
        stack.invoke("get-balance", &request).await.unwrap()["statusCode"].clone()
    };
    assert_eq!(balance(&[&right]).await, 200);
    assert_eq!(balance(&[&right, &right]).await, 401);
    assert_eq!(balance(&["Basic x", &right]).await, 401);
}
