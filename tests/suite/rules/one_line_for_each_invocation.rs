//! Each invocation of any function writes one JSON line with the same fields, and says whether it was the first of its
//! process.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};
use spillway_tests::oracle::settled;
use spillway_tests::receiver::Receiver;
use spillway_tests::{Deadline, Options, Stack, eventually, unique};

type Line = Map<String, Value>;

const TEXTS: [&str; 7] = ["timestamp", "level", "message", "function", "request_id", "source", "outcome"];
const COUNTS: [&str; 2] = ["store_ms", "total_ms"];
/// Fields that are omitted if empty, 0 or false.
const SOMETIMES: [&str; 8] =
    ["merchant", "mode", "processor_ms", "cold", "retries", "subjects", "operator", "trace_id"];

/// The lines of the function `name` by process, one for each invocation.
fn invocations(stack: &Stack, name: &str) -> Vec<Vec<Line>> {
    let of_process = |printed: String| {
        let lines = printed.lines().map(read).filter(|line| line["message"] == "invocation");
        lines.inspect(|line| assert_complete(name, line)).collect()
    };
    stack.printed(name).into_iter().map(of_process).collect()
}

/// A line: JSON with at least a time, a level and a message, and no repeated field. The functions print nothing else.
fn read(line: &str) -> Line {
    let fields: Line = serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
    // The parser keeps one of two equal fields.
    assert_eq!(serde_json::to_string(&fields).unwrap().len(), line.len(), "{line}");
    assert!(["level", "message"].iter().all(|field| fields[*field].is_string()), "{line}");
    // RFC 3339 in UTC with milliseconds.
    let timestamp = fields["timestamp"].as_str().unwrap();
    let shape: String = timestamp.chars().map(|each| if each.is_ascii_digit() { '0' } else { each }).collect();
    assert_eq!(shape, "0000-00-00T00:00:00.000Z", "{line}");
    fields
}

/// The line has exactly the fields of an invocation, and maybe metrics, whose names are capitalized.
fn assert_complete(name: &str, line: &Line) {
    let fields = line.keys().map(String::as_str).filter(|field| field.starts_with(char::is_lowercase));
    let always = fields.filter(|field| !SOMETIMES.contains(field)).collect::<BTreeSet<&str>>();
    assert_eq!(always, TEXTS.into_iter().chain(COUNTS).collect(), "{line:?}");
    assert!(TEXTS.iter().all(|field| line[*field].as_str().is_some_and(|text| !text.is_empty())), "{line:?}");
    assert!(COUNTS.iter().all(|field| line[*field].is_u64()), "{line:?}");
    let nothing = |value: &Value| [json!(""), json!(0), json!(false), json!([]), json!(null)].contains(value);
    assert!(SOMETIMES.iter().all(|field| line.get(*field).is_none_or(|value| !nothing(value))), "{line:?}");
    let subjects = line.get("subjects").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    assert!(subjects.iter().all(|subject| subject["id"].is_string()), "{line:?}");
    assert_eq!(line["function"], format!("spillway-{name}"), "{line:?}");
}

#[tokio::test]
async fn every_kind_of_invocation_writes_one_line() {
    let stack = Stack::start(Options::new().keep_lines().fold_at_once()).await;
    let merchant = stack.new_merchant().await;
    let receiver = Receiver::start().await;
    merchant.client.create_webhook_endpoint(receiver.url(), &["payment.*"]).await;
    let mut requests = BTreeSet::new();
    for _ in 0..5 {
        let payment = json!({"amount": 1250, "currency": "USD", "token": "tok_visa"});
        let answer = merchant.client.create_payment(&unique(), &payment).await.expect(202);
        requests.insert(answer.header("request-id").to_owned());
    }
    let refused = merchant.client.create_payment(&unique(), &json!({"amount": -1})).await;
    requests.insert(refused.expect_problem(422, "invalid_request").header("request-id").to_owned());
    settled(&stack, &merchant.tenant(), 5).await;
    receiver.attempts_at_least(5, Deadline::SOON).await;
    stack.run_due().await;

    // An answer may arrive before its log line.
    let written = eventually("each request has its line", Deadline::SOON, async || {
        let lines = invocations(&stack, "create-payment");
        let count = lines.iter().map(Vec::len).sum::<usize>();
        if count < requests.len() { Err(format!("{lines:?}")) } else { Ok(lines.concat()) }
    })
    .await;
    let told: BTreeSet<String> = written.iter().map(|line| line["request_id"].as_str().unwrap().to_owned()).collect();
    assert_eq!((written.len(), &told), (requests.len(), &requests), "{written:?}");
    for line in &written {
        assert_eq!(
            (&line["source"], &line["merchant"]),
            (&json!("POST /v1/payments"), &json!(merchant.id)),
            "{line:?}"
        );
    }
    let functions = [
        "authenticate",
        "create-merchant",
        "create-payment",
        "create-webhook-endpoint",
        "dispatch-changes",
        "call-processor",
        "fold-balance",
        "deliver-webhook",
        "enqueue-due",
    ];
    for name in functions {
        // The books are correct before the movements are folded.
        let processes = eventually(&format!("{name} writes a line"), Deadline::SOON, async || {
            let processes = invocations(&stack, name);
            if processes.iter().all(Vec::is_empty) { Err("it wrote nothing".to_owned()) } else { Ok(processes) }
        })
        .await;
        for lines in processes {
            let cold: Vec<bool> = lines.iter().map(|line| line.contains_key("cold")).collect();
            assert!(cold.iter().enumerate().all(|(number, cold)| *cold == (number == 0)), "{name}: {cold:?}");
        }
    }
}
