//! A request with odd headers or an odd body encoding gets an answer and is never a function error: the gateway would
//! answer 502, and a client could raise an alarm.

use serde_json::{Value, json};
use spillway_tests::{Deadline, Options, Stack, Template, eventually, unique};

/// The sample of a POST with these members replaced, and its request id.
fn event(members: Value) -> (String, Value) {
    let sample = include_str!("../../../events/create-payment/card.json");
    let mut event: Value = serde_json::from_str(sample).unwrap();
    let request_id = unique();
    event["requestContext"]["requestId"] = json!(request_id);
    for (name, value) in members.as_object().unwrap() {
        event[name] = value.clone();
    }
    (request_id, event)
}

#[tokio::test]
async fn an_unreadable_request_is_400_and_logged() {
    let stack = Stack::start(Options::new().template(Template::without_triggers()).keep_lines().unkilled()).await;
    let cases = [
        (json!({"multiValueHeaders": {"X": ["a\u{7f}"]}}), "A header has a character that HTTP does not allow."),
        (json!({"multiValueHeaders": {"X Y": ["a"]}}), "A header has a character that HTTP does not allow."),
        (json!({"body": "e30", "isBase64Encoded": true}), "The body can't be decoded."),
    ];
    for (members, detail) in cases {
        let (request_id, event) = event(members);
        let answer = stack.invoke("create-payment", &event).await.unwrap();
        let problem: Value = serde_json::from_str(answer["body"].as_str().unwrap()).unwrap();
        let found = (&answer["statusCode"], &problem["code"], &problem["detail"], &problem["request_id"]);
        assert_eq!(found, (&json!(400), &json!("malformed_request"), &json!(detail), &json!(request_id)), "{answer}");
        assert_eq!(answer["multiValueHeaders"]["request-id"], json!([request_id]));
        eventually("the request has one line", Deadline::SOON, async || {
            let printed = stack.printed("create-payment").concat();
            let lines: Vec<&str> = printed.lines().filter(|line| line.contains(&request_id)).collect();
            match lines.as_slice() {
                [line] if line.contains("\"outcome\":\"400 malformed_request\"") => Ok(()),
                _ => Err(printed.clone()),
            }
        })
        .await;
    }
}

#[tokio::test]
async fn an_event_that_is_no_request_is_an_error_and_logged() {
    let stack = Stack::start(Options::new().template(Template::without_triggers()).keep_lines().unkilled()).await;
    let error = stack.invoke("create-payment", &json!({"amount": 1250})).await.unwrap_err();
    assert_eq!(error["errorMessage"], "The request can't be read: it is not an event of API Gateway's REST API.");
    eventually("it has its line", Deadline::SOON, async || {
        let printed = stack.printed("create-payment").concat();
        let found = printed.contains("\"level\":\"ERROR\"") && printed.contains("The request can't be read");
        if found { Ok(()) } else { Err(printed) }
    })
    .await;
}

#[tokio::test]
async fn non_ascii_headers_are_ignored() {
    let stack = Stack::start(Options::new()).await;
    let client = stack.new_merchant().await.client;
    let payment = json!({"amount": 1250, "currency": "USD", "token": "tok_visa"});
    let odd = client.payment_request(&unique(), &payment);
    let odd = odd.header_bytes("x-name", "Schönberg".as_bytes()).header_bytes("user-agent", b"\xff\xfe");
    odd.send().await.expect(202);
    let wrong = client.payment_request("x", &payment).without("idempotency-key");
    let wrong = wrong.header_bytes("idempotency-key", "schön".as_bytes());
    wrong.send().await.expect_problem(400, "idempotency_key_invalid");
}
