//! The stream trigger over a real table, with a function that stores its events.

use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures::FutureExt as _;
use futures::future::BoxFuture;
use serde_json::{Value, json};

use super::{Changes, run};
use crate::clock;
use crate::invoke::{Functions, InvokeError, Outcome, Run};
use crate::queue::{Queues, Receive};
use crate::table::tests::{Bench, put};
use crate::template::{self, StreamTrigger};

#[derive(Clone)]
struct Function {
    events: Arc<Mutex<Vec<Value>>>,
    answer: Arc<dyn Fn(&Value) -> Outcome + Send + Sync>,
}

impl Run for Function {
    fn run(&self, _: String, payload: Vec<u8>) -> BoxFuture<'static, Outcome> {
        let event: Value = serde_json::from_slice(&payload).unwrap();
        let answer = (self.answer)(&event);
        self.events.lock().unwrap().push(event);
        async { answer }.boxed()
    }

    fn at_once(&self) -> usize {
        1
    }
}

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
    files: [PathBuf; 2],
}

impl Stack {
    fn new() -> Self {
        let file = |name: &str| std::env::temp_dir().join(format!("{name}-{}", uuid::Uuid::new_v4()));
        let files = [file("queues"), file("checkpoint")];
        let failures = template::Queue {
            logical_id: "Failures".to_owned(),
            name: "failures".to_owned(),
            visibility: Duration::from_secs(30),
            delay: Duration::ZERO,
            retention: Duration::from_secs(3600),
            receive_wait: Duration::ZERO,
            redrive: None,
        };
        let queues = Queues::open(&files[0], "eu-north-1", &[failures], clock::system(), false);
        Self { bench: Bench::new(), queues: queues.unwrap(), files }
    }

    fn changes(&self) -> Changes {
        self.bench.table.changes().unwrap()
    }

    /// Runs the trigger until `done` holds. Returns the function's events.
    async fn run_until(
        &self, answer: impl Fn(&Value) -> Outcome + Send + Sync + 'static, done: impl Fn(&[Value]) -> bool,
    ) -> Vec<Value> {
        let events = Arc::new(Mutex::new(Vec::new()));
        let function = Function { events: events.clone(), answer: Arc::new(answer) };
        let running = tokio::spawn(run(
            trigger(),
            self.changes(),
            self.files[1].clone(),
            self.queues.clone(),
            clock::system(),
            Functions::new(function),
            Arc::new(|_| {}),
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
        let text = std::fs::read_to_string(&self.files[1]).unwrap_or_default();
        let value: Value = serde_json::from_str(&text).unwrap_or_default();
        value["sequence"].as_i64().unwrap_or_default()
    }

    fn caught_up(&self) -> bool {
        self.checkpoint() == self.changes().last().unwrap()
    }
}

impl Drop for Stack {
    fn drop(&mut self) {
        for file in &self.files {
            let _ = std::fs::remove_file(file);
        }
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
    std::fs::remove_file(&stack.files[1]).unwrap();
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
