//! Folders, template and sample events name the same functions, and each sample works with its function.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use spillway_tests::document::{Endpoint, endpoints};
use spillway_tests::template::folder;
use spillway_tests::{Options, Stack, Template, cargo_lambda};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

fn folders(of: &str) -> BTreeSet<String> {
    let entries = fs::read_dir(root().join(of)).unwrap().map(Result::unwrap);
    let folders = entries.filter(|entry| entry.file_type().unwrap().is_dir());
    folders.map(|entry| entry.file_name().into_string().unwrap()).collect()
}

#[test]
fn folders_template_and_samples_name_the_same_functions() {
    let functions = folders("functions");
    let template = Template::read();
    let described =
        template.of_type("AWS::Serverless::Function").into_values().map(|function| folder(function).to_owned());
    assert_eq!(described.collect::<BTreeSet<_>>(), functions);
    assert_eq!(folders("events"), functions);
}

/// Triggers that are not routes of the OpenAPI document: function, type, source.
const TRIGGERS: [(&str, &str, &str); 6] = [
    ("call-processor", "SQS", "ProcessorQueue.Arn"),
    ("deliver-webhook", "SQS", "WebhooksQueue.Arn"),
    ("dispatch-changes", "DynamoDB", "Table.StreamArn"),
    ("enqueue-due", "ScheduleV2", "rate(1 minute)"),
    ("fold-balance", "SQS", "FoldsQueue.Arn"),
    // Like GET, without the body.
    ("get-health", "Api", "head /v1/health"),
];

/// Every route of the OpenAPI document, in the same form.
fn routes() -> Vec<(String, String, String)> {
    let route = |endpoint: Endpoint| {
        let method = endpoint.method.as_str().to_lowercase();
        (endpoint.function(), "Api".to_owned(), format!("{method} /v1{}", endpoint.path))
    };
    endpoints().into_iter().map(route).collect()
}

#[test]
fn the_template_has_exactly_these_routes_and_triggers() {
    let template = Template::read();
    let events = template.events().into_iter().map(|(function, kind, properties)| {
        let text = |key: &str| properties[key].as_str().unwrap_or_default();
        let source = match kind {
            "SQS" => properties["Queue"]["Fn::GetAtt"].as_str().unwrap().to_owned(),
            // The stack's own table, or an existing one.
            "DynamoDB" => properties["Stream"]["Fn::If"][1]["Fn::GetAtt"].as_str().unwrap().to_owned(),
            "ScheduleV2" => text("ScheduleExpression").to_owned(),
            _ => format!("{} {}", text("Method"), text("Path")),
        };
        (function.to_owned(), kind.to_owned(), source)
    });
    let mut described: Vec<_> = events.collect();
    described.sort();
    let others = TRIGGERS.map(|(function, kind, source)| (function.to_owned(), kind.to_owned(), source.to_owned()));
    let mut expected = [routes(), others.to_vec()].concat();
    expected.sort();
    assert_eq!(described, expected);
}

/// Expected result of a sample.
enum Outcome {
    /// Status of an HTTP answer.
    Status(u64),
    /// A batch without failures.
    Whole,
    /// A field of the answer with a value that starts like this.
    Field(&'static str, &'static str),
    /// A page of a list with an entry.
    Page,
    /// A text that starts like this.
    Text(&'static str),
    /// This error.
    Error(&'static str),
}

/// All samples in an order in which they work: the first one creates the merchant of all others.
const SAMPLES: &[(&str, Outcome)] = &[
    ("get-health/health", Outcome::Status(200)),
    ("get-openapi/document", Outcome::Status(200)),
    ("create-merchant/acme", Outcome::Field("id", "mer_")),
    ("issue-api-key/test-mode", Outcome::Field("secret", "sk_test_")),
    ("issue-api-key/read-only-until-a-date", Outcome::Field("secret", "sk_test_")),
    // Its secret was never issued here.
    ("authenticate/test-key", Outcome::Error("Unauthorized")),
    ("authenticate/malformed-key", Outcome::Error("Unauthorized")),
    ("create-webhook-endpoint/payments", Outcome::Status(201)),
    ("get-webhook-endpoint/by-id", Outcome::Status(200)),
    ("list-webhook-endpoints/first-page", Outcome::Status(200)),
    ("update-webhook-endpoint/all-events", Outcome::Status(200)),
    ("rotate-webhook-secret/first", Outcome::Status(200)),
    ("test-webhook-endpoint/first", Outcome::Status(202)),
    ("create-payment/card", Outcome::Status(202)),
    ("create-payment/invalid", Outcome::Status(422)),
    ("get-payment/by-id", Outcome::Status(200)),
    ("dispatch-changes/payment-movement-event", Outcome::Whole),
    ("call-processor/payments", Outcome::Whole),
    ("fold-balance/balance", Outcome::Whole),
    ("get-balance/all-currencies", Outcome::Status(200)),
    ("list-payments/first-page", Outcome::Status(200)),
    ("list-payments/filtered", Outcome::Status(200)),
    ("list-balance-transactions/first-page", Outcome::Status(200)),
    ("list-balance-transactions/filtered", Outcome::Status(200)),
    ("deliver-webhook/event", Outcome::Whole),
    ("deliver-webhook/delivery", Outcome::Whole),
    ("deliver-webhook/endpoint", Outcome::Whole),
    ("create-refund/part", Outcome::Status(202)),
    ("get-refund/by-id", Outcome::Status(200)),
    ("list-refunds/first-page", Outcome::Status(200)),
    ("redeliver-event/endpoint-since", Outcome::Field("object", "redelivery")),
    ("delete-webhook-endpoint/by-id", Outcome::Status(204)),
    ("enqueue-due/minute", Outcome::Text("enqueued ")),
    ("update-merchant/fees", Outcome::Field("effective_at", "20")),
    ("update-merchant/plan", Outcome::Field("effective_at", "20")),
    ("update-merchant/shards", Outcome::Field("effective_at", "20")),
    ("update-merchant/suspend", Outcome::Field("effective_at", "20")),
    // A second key to replace the first.
    ("issue-api-key/second", Outcome::Field("secret", "sk_test_")),
    ("revoke-api-key/with-overlap", Outcome::Field("revoked_at", "20")),
    ("revoke-api-key/at-once", Outcome::Field("revoked_at", "20")),
    ("list-merchants/first-page", Outcome::Page),
    ("list-api-keys/first-page", Outcome::Page),
    ("list-operator-actions/first-page", Outcome::Page),
];

#[test]
fn every_sample_event_has_its_outcome() {
    let files = folders("events").into_iter().flat_map(|function| {
        let entries = fs::read_dir(root().join("events").join(&function)).unwrap();
        entries.map(move |entry| {
            let path = entry.unwrap().path();
            format!("{function}/{}", path.file_stem().unwrap().to_str().unwrap())
        })
    });
    let known: BTreeSet<String> = SAMPLES.iter().map(|(name, _)| (*name).to_owned()).collect();
    assert_eq!(files.collect::<BTreeSet<_>>(), known);
}

/// The file of a sample.
fn file(name: &str) -> PathBuf {
    root().join("events").join(name).with_extension("json")
}

fn sample(name: &str) -> Value {
    serde_json::from_str(&fs::read_to_string(file(name)).unwrap()).unwrap()
}

/// Answer of the sample's function, or its error.
async fn answer(stack: &Stack, name: &str) -> Value {
    cargo_lambda::invoke(name.split('/').next().unwrap(), stack.port(), &file(name)).await
}

/// The body of the response to a sample.
async fn response(stack: &Stack, name: &str) -> Value {
    serde_json::from_str(answer(stack, name).await["body"].as_str().unwrap()).unwrap()
}

/// With the unchanged files: ids are derived from requests, so a sample can name the object of another.
#[tokio::test]
async fn every_sample_event_works_with_cargo_lambda() {
    let stack = Stack::start(Options::new().template(Template::without_triggers())).await;
    for (name, outcome) in SAMPLES {
        let answer = answer(&stack, name).await;
        let (text, error) = (|value: &Value| value.as_str().map(str::to_owned), &answer["errorMessage"]);
        match outcome {
            Outcome::Status(status) => assert_eq!(answer["statusCode"], *status, "{name}: {answer}"),
            Outcome::Whole => assert_eq!(answer, json!({"batchItemFailures": []}), "{name}: {answer}"),
            Outcome::Field(field, start) => {
                assert!(text(&answer[field]).is_some_and(|value| value.starts_with(start)), "{name}: {answer}");
            }
            Outcome::Page => assert!(answer["data"][0]["created_at"].is_string(), "{name}: {answer}"),
            Outcome::Text(start) => {
                assert!(text(&answer).is_some_and(|text| text.starts_with(start)), "{name}: {answer}");
            }
            Outcome::Error(message) => assert_eq!(error, message, "{name}: {answer}"),
        }
    }
    // The sample's message was about the sample's payment.
    let payment = response(&stack, "get-payment/by-id").await;
    assert_eq!((&payment["status"], &payment["fee"]), (&json!("succeeded"), &json!(66)), "{payment}");
    // The payment, and its refund.
    for (list, count) in [("list-payments/filtered", 1), ("list-balance-transactions/filtered", 2)] {
        let listed = response(&stack, list).await;
        assert_eq!(listed["data"].as_array().map(Vec::len), Some(count), "{listed}");
    }
    let balance = response(&stack, "get-balance/all-currencies").await;
    // 1184 of the payment, less the refund of 400.
    let dollars = json!({"currency": "USD", "available": 0, "pending": 784});
    assert!(balance["balances"].as_array().unwrap().contains(&dollars), "{balance}");
}

#[tokio::test]
async fn a_consumer_reports_unreadable_messages_by_id() {
    let stack = Stack::start(Options::new().template(Template::without_triggers())).await;
    for name in ["call-processor/payments", "fold-balance/balance", "deliver-webhook/event", "deliver-webhook/delivery"]
    {
        let mut event = sample(name);
        event["Records"][0]["body"] = json!("not a message");
        let answer = stack.invoke(name.split('/').next().unwrap(), &event).await.unwrap();
        let failed = json!({"batchItemFailures": [{"itemIdentifier": event["Records"][0]["messageId"]}]});
        assert_eq!(answer, failed, "{name}");
    }
}
