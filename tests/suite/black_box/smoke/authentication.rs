//! Which keys are accepted.

use reqwest::Method;
use spillway_tests::client::Request;
use spillway_tests::{Target, unique};

#[tokio::test]
async fn all_invalid_keys_get_the_same_answer() {
    let target = Target::start().await;
    let client = target.any_client().await;
    let secret = client.secret().to_owned();
    let none = client.payment_request(&unique(), &super::right(&client).await).without("authorization");
    let with = |value: &str| none.clone().header("authorization", value);
    let last = if secret.ends_with('0') { '1' } else { '0' };
    let refused: Vec<Request> = vec![
        none.clone(),
        with(""),
        with("Bearer"),
        with("Bearer "),
        with(&secret),
        with(&format!("Basic {secret}")),
        with("Bearer sk_test_"),
        with("Bearer sk_test_00000000000000000000000000000000000000"),
        with(&format!("Bearer {}", "x".repeat(5000))),
        with(&format!("Bearer {}{last}", &secret[..secret.len() - 1])),
        with(&format!("Bearer {}", secret.replace("sk_test_", "sk_live_"))),
        with(&format!("Bearer {secret} {secret}")),
    ];
    let mut answers = Vec::new();
    for request in refused {
        let answer = request.send().await;
        assert_eq!(answer.status, 401, "{request:?} gave {}", answer.text);
        assert_eq!(answer.header("www-authenticate"), "Bearer realm=\"spillway\"", "{request:?}");
        answers.push(answer.expect_anonymous_problem(401, "unauthorized"));
    }
    assert!(answers.iter().all(|answer| answer == &answers[0]), "{answers:#?}");
    let message = answers[0]["detail"].as_str().unwrap();
    assert!(message.ends_with("Send the API key as `Authorization: Bearer sk_...`."), "{message}");
}

#[tokio::test]
async fn the_authorization_scheme_ignores_case() {
    let target = Target::start().await;
    let client = target.any_client().await;
    for scheme in ["Bearer", "bearer", "BEARER", "bEaReR"] {
        let authorization = format!("{scheme} {}", client.secret());
        let request = client.request(Method::GET, "/balance").without("authorization");
        request.header("authorization", &authorization).send().await.expect(200);
    }
}
