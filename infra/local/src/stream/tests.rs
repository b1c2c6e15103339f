//! The stream trigger over a real table, with a function that stores its events.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::{Value, json};

use super::{Changes, run};
use crate::clock;
use crate::files::tests::Scratch;
use crate::invoke::{Functions, InvokeError, Outcome};
use crate::log::Log;
use crate::queue::{Queues, Receive};
use crate::table::tests::{Bench, put};
use crate::template::{self, StreamTrigger};

fn trigger() -> StreamTrigger {
    StreamTrigger {
        function: "dispatch".to_owned(),
        batch_size: 100,
        batching_window: Duration::ZERO,
        bisect: true,
        retries: Some(1),
        max_record_age: Some(Duration::from_secs(3600)),
        on_failure: Some("Failures".to_owned()),
        filters: vec![json!({"eventName": ["INSERT"], "dynamodb": {"Keys": {"sk": {"S": [{"prefix": "p"}]}}}})],
        report_item_failures: true,
    }
}

struct Stack {
    bench: Bench,
    queues: Queues,
    scratch: Scratch,
}

impl Stack {
    fn new() -> Self {
        let scratch = Scratch::new();
        let failures = template::Queue {
            logical_id: "Failures".to_owned(),
            name: "failures".to_owned(),
            visibility: Duration::from_secs(30),
            retention: Duration::from_secs(3600),
            ..template::Queue::default()
        };
        let queues = Queues::open(&scratch.file("queues"), "eu-north-1", &[failures], clock::system(), false);
        Self { bench: Bench::new(), queues: queues.unwrap(), scratch }
    }

    fn changes(&self) -> Changes {
        self.bench.table.changes().unwrap()
    }

    /// Runs the trigger until `done` holds. Returns the function's events.
    async fn run_until(
        &self, answer: impl Fn(&Value) -> Outcome + Send + Sync + 'static, done: impl Fn(&[Value]) -> bool,
    ) -> Vec<Value> {
        let events = Arc::new(Mutex::new(Vec::new()));
        let stored = events.clone();
        let functions = Functions::answering(move |_, payload| {
            let event: Value = serde_json::from_slice(payload).unwrap();
            let answer = answer(&event);
            stored.lock().unwrap().push(event);
            answer
        });
        let running = tokio::spawn(run(
            trigger(),
            self.changes(),
            self.scratch.file("checkpoint"),
            self.queues.clone(),
            clock::system(),
            functions,
            Log::to(false, |_| {}),
        ));
        let wait = async {
            while !done(&events.lock().unwrap()) {
                assert!(!running.is_finished(), "the trigger ended");
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        };
        let waited = tokio::time::timeout(Duration::from_secs(10), wait).await;
        running.abort();
        waited.expect("within the deadline");
        events.lock().unwrap().clone()
    }

    fn checkpoint(&self) -> i64 {
        let text = std::fs::read_to_string(self.scratch.file("checkpoint")).unwrap_or_default();
        let value: Value = serde_json::from_str(&text).unwrap_or_default();
        value["sequence"].as_i64().unwrap_or_default()
    }

    fn caught_up(&self) -> bool {
        self.checkpoint() == self.changes().last().unwrap()
    }
}

fn keys(events: &[Value]) -> Vec<&str> {
    let records = events.iter().flat_map(|event| event["Records"].as_array().unwrap());
    records.map(|record| record["dynamodb"]["Keys"]["sk"]["S"].as_str().unwrap()).collect()
}

fn good(_: &Value) -> Outcome {
    Ok(b"{}".to_vec())
}

#[tokio::test]
async fn a_function_gets_the_event_of_lambda() {
    let stack = Stack::new();
    put(&stack.bench.database(), "p1");
    let events = stack.run_until(good, |events| !events.is_empty()).await;
    let record = &events[0]["Records"][0];
    assert_eq!(record["eventName"], "INSERT");
    assert_eq!(record["eventSource"], "aws:dynamodb");
    assert_eq!(record["awsRegion"], "eu-north-1");
    let arn = record["eventSourceARN"].as_str().unwrap();
    assert!(arn.starts_with("arn:aws:dynamodb:eu-north-1:000000000000:table/orders/stream/"));
    let dynamodb = &record["dynamodb"];
    assert_eq!(dynamodb["Keys"], json!({"pk": {"S": "a"}, "sk": {"S": "p1"}}));
    assert_eq!(dynamodb["NewImage"]["listing"], json!({"S": "l"}));
    assert_eq!(dynamodb["StreamViewType"], "NEW_AND_OLD_IMAGES");
    assert_eq!(dynamodb["SequenceNumber"].as_str().unwrap().len(), 21);
    assert!(dynamodb["SizeBytes"].as_i64().unwrap() > 0);
    assert!(dynamodb["ApproximateCreationDateTime"].is_i64());
}

#[tokio::test]
async fn filtered_records_are_skipped_and_a_restart_continues() {
    let stack = Stack::new();
    let database = stack.bench.database();
    put(&database, "p1");
    put(&database, "other");
    put(&database, "p1");
    let events = stack.run_until(good, |_| stack.caught_up()).await;
    assert_eq!(keys(&events), ["p1"]);
    put(&database, "p2");
    let events = stack.run_until(good, |_| stack.caught_up()).await;
    assert_eq!(keys(&events), ["p2"]);
    std::fs::remove_file(stack.scratch.file("checkpoint")).unwrap();
    let events = stack.run_until(good, |_| stack.caught_up()).await;
    assert_eq!(keys(&events), ["p1", "p2"]);
}

#[tokio::test]
async fn writes_during_a_wait_are_read() {
    let stack = Stack::new();
    let database = stack.bench.database();
    let written = AtomicUsize::new(0);
    let events = stack
        .run_until(good, |events| {
            if stack.caught_up() && written.fetch_add(1, Ordering::SeqCst) == 0 {
                put(&database, "p1");
            }
            !events.is_empty()
        })
        .await;
    assert_eq!(keys(&events), ["p1"]);
}

#[tokio::test]
async fn a_poison_record_goes_to_the_failure_queue_alone() {
    let stack = Stack::new();
    let database = stack.bench.database();
    for sk in ["p1", "p2", "poison", "p3", "p4"] {
        put(&database, sk);
    }
    let poison = |event: &Value| {
        let records = event["Records"].as_array().unwrap();
        let bad = records.iter().find(|r| r["dynamodb"]["Keys"]["sk"]["S"] == "poison");
        // Only an error, not a partial answer, makes Lambda halve the batch.
        if bad.is_some_and(|bad| records.len() > 1 && records[0] == *bad) {
            return Err(InvokeError::Crashed("the first record failed".to_owned()));
        }
        let failures = bad.map(|r| json!({"itemIdentifier": r["dynamodb"]["SequenceNumber"]}));
        let failures: Vec<Value> = failures.into_iter().collect();
        Ok(json!({ "batchItemFailures": failures }).to_string().into())
    };
    let events = stack.run_until(poison, |_| stack.caught_up()).await;
    assert!(keys(&events).ends_with(&["p3", "p4"]));
    let ask = Receive { limit: 10, visibility: None, wait: Duration::ZERO };
    let messages = stack.queues.receive("failures", ask).await.unwrap();
    assert_eq!(messages.len(), 1);
    let pointer: Value = serde_json::from_str(&messages[0].body).unwrap();
    assert_eq!(pointer["requestContext"]["condition"], "RetryAttemptsExhausted");
    assert_eq!(pointer["requestContext"]["approximateInvokeCount"], 2);
    let place = &pointer["DDBStreamBatchInfo"];
    assert_eq!(place["batchSize"], 1);
    assert_eq!(place["shardId"], "shardId-00000001-orders");
    assert_eq!(place["startSequenceNumber"], place["endSequenceNumber"]);
    let time = pointer["timestamp"].as_str().unwrap();
    assert!(time.ends_with('Z') && time.len() == 24, "{time}");
}
