//! Answers stay bounded, however many faults a request has and however long its keys are.

use reqwest::Method;
use serde_json::{Value, json};
use spillway_tests::client::Request;
use spillway_tests::{Client, Options, Stack, unique};

/// Largest answer that names faults in bytes: a hundred faults, each with a pointer and a sentence of at most 100
/// bytes, and the JSON around them.
const ANSWER_MAX: usize = 24_000;
/// Largest body of a request in bytes.
const BODY_MAX: usize = 64 * 1024;

/// A body with as many members as fit; each is made from its number.
fn filled(member: impl Fn(usize) -> String) -> String {
    let mut body = String::new();
    for number in 0.. {
        let member = format!("{}{}", if number == 0 { "" } else { "," }, member(number));
        if body.len() + member.len() > BODY_MAX - "{}".len() {
            break;
        }
        body += &member;
    }
    format!("{{{body}}}")
}

/// An array of `count` card numbers below one key of this many letters.
fn card_numbers(letters: usize, count: usize) -> String {
    json!({"k".repeat(letters): vec!["4222222222222"; count]}).to_string()
}

/// Requests to each endpoint that creates something, with this body.
fn creations(client: &Client, body: &str) -> [Request; 2] {
    ["/payments", "/webhook-endpoints"].map(|path| {
        let request = client.request(Method::POST, path).header("content-type", "application/json");
        request.header("idempotency-key", &unique()).body(body)
    })
}

/// The last entry of `errors`, which counts the faults that are not named.
fn last(problem: &Value) -> &Value {
    problem["errors"].as_array().unwrap().last().unwrap()
}

#[tokio::test]
async fn a_hundred_faults_are_named_and_the_rest_counted() {
    let stack = Stack::start(Options::new()).await;
    let client = stack.new_merchant().await.client;
    let body = card_numbers(9500, 656);
    assert_eq!(body.len(), 9500 + 656 * 16 + 6);
    for request in creations(&client, &body) {
        let answer = request.send().await.expect_problem(422, "invalid_request");
        assert!(answer.text.len() < ANSWER_MAX, "{} bytes", answer.text.len());
        let errors = answer.body["errors"].as_array().unwrap();
        assert_eq!(errors.len(), 101);
        let first = format!("/{}…{}/0", "k".repeat(59), "k".repeat(35));
        assert_eq!(errors[0]["pointer"], json!(first));
        assert!(errors[0]["detail"].as_str().is_some_and(|detail| detail.contains("card number")), "{}", errors[0]);
        assert_eq!(errors[100], json!({"pointer": "", "detail": "has 556 more faults"}));
    }
}

#[tokio::test]
async fn the_largest_faulty_body_gets_a_short_answer() {
    let stack = Stack::start(Options::new()).await;
    let client = stack.new_merchant().await.client;
    let (long, crabs) = ("k".repeat(500), "🦀".repeat(100));
    let deep = format!("{}\"4222222222222\"{}", "{\"é\":".repeat(120), "}".repeat(120));
    for (status, code, body) in [
        (422, "invalid_request", card_numbers(BODY_MAX / 2, 2000)),
        (422, "invalid_request", filled(|number| format!("\"k{number}\":\"4222222222222\""))),
        (422, "invalid_request", filled(|number| format!("\"{long}{number}\":\"4222222222222\""))),
        (422, "invalid_request", filled(|number| format!("\"{number}\":1"))),
        (422, "invalid_request", filled(|number| format!("\"{}{number}\":1", "\\u0001".repeat(100)))),
        (422, "invalid_request", filled(|number| format!("\"{crabs}{number}\":{{}}"))),
        (422, "invalid_request", format!("{{\"metadata\":{{\"{}\":7}}}}", "🦀".repeat(16_000))),
        (422, "invalid_request", deep),
        (400, "malformed_request", filled(|_| format!("\"{long}\":1"))),
        (400, "malformed_request", filled(|_| "\"k\":{}".to_owned())),
    ] {
        assert!(body.len() <= BODY_MAX);
        for request in creations(&client, &body) {
            let answer = request.send().await;
            assert!(answer.text.len() < ANSWER_MAX, "{} bytes for {body:.60}", answer.text.len());
            answer.expect_problem(status, code);
        }
    }
}

#[tokio::test]
async fn the_largest_faulty_query_gets_a_short_answer() {
    let stack = Stack::start(Options::new()).await;
    let client = stack.new_merchant().await.client;
    let many: Vec<String> = (0..1000).map(|number| format!("p{number:04}")).collect();
    for query in [many.join("&"), "k".repeat(6000), format!("{}=1&limit=0", "%F0%9F%A6%80".repeat(500))] {
        for path in ["/payments", "/balance/transactions", "/balance", "/payments/pay_00000000000000000000000000"] {
            let answer = client.get(&format!("{path}?{query}")).await.expect(400);
            assert!(answer.text.len() < ANSWER_MAX, "{} bytes for {path}?{query:.40}", answer.text.len());
        }
    }
    let answer = client.get(&format!("/balance?{}", many.join("&"))).await.expect_problem(400, "unknown_parameter");
    assert_eq!(last(&answer.body), &json!({"parameter": "", "detail": "has 900 more faults"}));
}
