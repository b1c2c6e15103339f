//! A trace that a client sends with a request reaches the webhooks of that request's events, and the log lines of each
//! function on the way. A request without one has a trace of its own: its id.

use serde_json::{Value, json};
use spillway_tests::client::Request;
use spillway_tests::receiver::{Receiver, Reply};
use spillway_tests::{Answer, Deadline, Merchant, Options, Stack, eventually, unique};

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const PARENT: &str = "00f067aa0ba902b7";

/// Trace, span and flags of a `traceparent`.
fn parts(header: &str) -> [&str; 3] {
    let parts: Vec<&str> = header.split('-').collect();
    let ["00", trace, span, flags] = parts[..] else { panic!("{header}") };
    assert_eq!([trace.len(), span.len(), flags.len()], [32, 16, 2], "{header}");
    [trace, span, flags]
}

fn payment(merchant: &Merchant) -> Request {
    merchant.client.payment_request(&unique(), &json!({"amount": 1250, "currency": "USD", "token": "tok_visa"}))
}

/// The headers `traceparent` of the attempts about a payment.
async fn received(receiver: &Receiver, id: &str, count: usize) -> Vec<String> {
    eventually(&format!("{count} attempts about {id}"), Deadline::LATER, async || {
        let attempts = receiver.attempts();
        let about = attempts.iter().filter(|attempt| attempt.json()["data"]["id"] == id);
        let headers: Vec<String> =
            about.map(|attempt| attempt.headers["traceparent"].to_str().unwrap().to_owned()).collect();
        if headers.len() == count { Ok(headers) } else { Err(format!("{headers:?}")) }
    })
    .await
}

/// What the function's lines say as `trace_id` about this id: in its subject, or in the line itself.
async fn logged(stack: &Stack, function: &str, id: &str) -> Value {
    eventually(&format!("{function} logs {id}"), Deadline::SOON, async || {
        let printed = stack.printed(function).concat();
        let lines = printed.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        let names = |subject: &Value| subject.to_string().contains(id);
        let mut found = lines.filter_map(|line| {
            let subject = line["subjects"].as_array()?.iter().find(|subject| names(subject))?.clone();
            Some(if subject["trace_id"].is_null() { line["trace_id"].clone() } else { subject["trace_id"].clone() })
        });
        found.next_back().ok_or_else(|| printed.clone())
    })
    .await
}

#[tokio::test]
async fn a_clients_trace_reaches_webhooks_and_log_lines() {
    let options = Options::new().keep_lines().unkilled().knob("WEBHOOK_WAITS_SECONDS", 0);
    let stack = Stack::start(options).await;
    let merchant = stack.new_merchant().await;
    let receiver = Receiver::scripted([Reply::Status(500)]).await;
    merchant.client.create_webhook_endpoint(receiver.url(), &["payment.*", "refund.created"]).await;

    let sent = payment(&merchant).header("traceparent", &format!("00-{TRACE}-{PARENT}-01"));
    let answer = sent.send().await.expect(202);
    let headers = received(&receiver, answer.id(), 2).await;
    let [[first, span, sampled], [second, other_span, _]] = [parts(&headers[0]), parts(&headers[1])];
    assert_eq!([first, second, sampled], [TRACE, TRACE, "01"]);
    assert!(span != PARENT && span != other_span, "each attempt has a span of its own: {headers:?}");
    for function in ["create-payment", "call-processor", "deliver-webhook"] {
        assert_eq!(logged(&stack, function, answer.id()).await, TRACE, "{function}");
    }
    // The refund is another request. It has its own trace.
    let id = merchant.client.refund_request(answer.id(), &unique(), 100).send().await.expect(202);
    let refund = received(&receiver, id.id(), 1).await;
    assert_eq!(parts(&refund[0])[0], id.header("request-id").replace('-', ""));
}

#[tokio::test]
async fn a_request_without_a_valid_trace_has_its_own() {
    let stack = Stack::start(Options::new().keep_lines().unkilled()).await;
    let merchant = stack.new_merchant().await;
    let receiver = Receiver::start().await;
    merchant.client.create_webhook_endpoint(receiver.url(), &["payment.*"]).await;
    let own = async |answer: Answer| {
        let headers = received(&receiver, answer.id(), 1).await;
        let [trace, _, flags] = parts(&headers[0]);
        assert_eq!([trace, flags], [answer.header("request-id").replace('-', "").as_str(), "00"]);
        for function in ["create-payment", "call-processor", "deliver-webhook"] {
            assert_eq!(logged(&stack, function, answer.id()).await, Value::Null, "{function}");
        }
        // So a payment without a trace needs no more space than before.
        let item = stack.table().item(&format!("{}#{}", merchant.tenant(), answer.id()), "payment").await.unwrap();
        assert_eq!(item.get("trace"), None, "{item:?}");
    };
    own(payment(&merchant).send().await.expect(202)).await;
    own(payment(&merchant).header("traceparent", "00-4bf9-00f0-01").send().await.expect(202)).await;
    let twice = payment(&merchant).header("traceparent", &format!("00-{TRACE}-{PARENT}-01"));
    own(twice.header("traceparent", &format!("00-{TRACE}-{PARENT}-00")).send().await.expect(202)).await;
}
