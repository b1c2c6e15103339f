use std::sync::Mutex;

use tokio::sync::Notify;

use super::*;
use crate::invoke::{Functions, InvokeError, Outcome};
use crate::log::Log;
use crate::queue::poller;
use crate::template::QueueTrigger;

/// The events of a function.
#[derive(Default)]
struct Recorder {
    events: Mutex<Vec<Value>>,
    called: Notify,
}

pub(super) fn trigger() -> QueueTrigger {
    QueueTrigger {
        function: "consumer".to_owned(),
        queue: "WorkQueue".to_owned(),
        batch_size: 10,
        batching_window: Duration::ZERO,
        max_concurrency: Some(1),
        report_item_failures: true,
    }
}

/// Runs the trigger until `done` holds. It is checked after each invocation and each report.
async fn run_until(
    bench: &Bench, trigger: QueueTrigger, answer: fn(&Value) -> Outcome, done: impl Fn(&[Value]) -> bool,
) -> Vec<Value> {
    let recorder = Arc::new(Recorder::default());
    let stored = recorder.clone();
    let functions = Functions::answering(move |_, payload| {
        let event: Value = serde_json::from_slice(payload).unwrap();
        let answer = answer(&event);
        stored.events.lock().unwrap().push(event);
        stored.called.notify_one();
        answer
    });
    let notified = recorder.clone();
    let log = Log::to(false, move |_| notified.called.notify_one());
    let poller = poller::run(trigger, bench.api.queues.clone(), functions, log);
    let wait = async {
        while !done(&recorder.events.lock().unwrap()) {
            tokio::select! {
                () = recorder.called.notified() => {}
                // The deletion after an invocation wakes no waiter.
                () = tokio::task::yield_now() => {}
            }
        }
    };
    let limit = tokio::time::timeout(Duration::from_secs(10), wait);
    tokio::select! {
        ended = poller => panic!("the trigger ended: {ended:?}"),
        waited = limit => waited.expect("within the deadline"),
    }
    recorder.events.lock().unwrap().clone()
}

fn fails_bad(event: &Value) -> Outcome {
    let records = event["Records"].as_array().unwrap();
    let failures: Vec<Value> = records
        .iter()
        .filter(|record| record["body"] == "bad")
        .map(|record| json!({"itemIdentifier": record["messageId"]}))
        .collect();
    Ok(json!({"batchItemFailures": failures}).to_string().into())
}

#[tokio::test]
async fn a_function_gets_the_event_of_lambda() {
    let bench = Bench::new();
    let request = json!({"MessageBody": "hello", "MessageGroupId": "mer_1"});
    let sent = bench.ok("SendMessage", request).await;
    let empty = |_: &[Value]| bench.counts("work") == (0, 0, 0);
    let events = run_until(&bench, trigger(), fails_bad, empty).await;
    let record = &events[0]["Records"][0];
    assert!(record["receiptHandle"].is_string());
    let mut record = record.clone();
    record.as_object_mut().unwrap().remove("receiptHandle");
    assert_eq!(
        record,
        json!({
            "messageId": sent["MessageId"],
            "body": "hello",
            "attributes": {
                "ApproximateReceiveCount": "1",
                "ApproximateFirstReceiveTimestamp": "1000000",
                "SentTimestamp": "1000000",
                "SenderId": "000000000000",
                "MessageGroupId": "mer_1",
            },
            "messageAttributes": {},
            "md5OfBody": "5d41402abc4b2a76b9719d911017c592",
            "eventSource": "aws:sqs",
            "eventSourceARN": "arn:aws:sqs:eu-north-1:000000000000:work",
            "awsRegion": "eu-north-1",
        })
    );
}

#[tokio::test]
async fn failed_messages_stay_hidden_and_others_are_deleted() {
    let bench = Bench::new();
    for body in ["good", "bad", "good"] {
        bench.send(body).await;
    }
    let settled = |_: &[Value]| bench.counts("work") == (0, 1, 0);
    let events = run_until(&bench, trigger(), fails_bad, settled).await;
    assert_eq!(events.len(), 1);
    bench.wait_s(30);
    assert_eq!(bodies(&bench.receive().await), ["bad"]);
}

#[tokio::test]
async fn a_failed_invocation_or_an_unknown_id_deletes_nothing() {
    let answers: [fn(&Value) -> Outcome; 3] = [
        |_| Err(InvokeError::Crashed("it crashed".to_owned())),
        |_| Ok(br#"{"batchItemFailures":[{"itemIdentifier":"x"}]}"#.to_vec()),
        |_| Ok(br#"{"batchItemFailures":[{"itemIdentifier":null}]}"#.to_vec()),
    ];
    for answer in answers {
        let bench = Bench::new();
        bench.send("one").await;
        bench.send("two").await;
        let called = |events: &[Value]| !events.is_empty();
        run_until(&bench, trigger(), answer, called).await;
        assert_eq!(bench.counts("work"), (0, 2, 0));
    }
}

#[tokio::test]
async fn without_partial_responses_an_answer_is_success() {
    let bench = Bench::new();
    bench.send("bad").await;
    let mut trigger = trigger();
    trigger.report_item_failures = false;
    let empty = |_: &[Value]| bench.counts("work") == (0, 0, 0);
    run_until(&bench, trigger, fails_bad, empty).await;
}

#[tokio::test]
async fn a_batching_window_spans_several_receive_calls() {
    let bench = Bench::new();
    for _ in 0..15 {
        bench.send("good").await;
    }
    let mut trigger = trigger();
    trigger.batch_size = 15;
    trigger.batching_window = Duration::from_secs(60);
    let empty = |_: &[Value]| bench.counts("work") == (0, 0, 0);
    let events = run_until(&bench, trigger, fails_bad, empty).await;
    assert_eq!(events.len(), 1);
    assert_eq!(events[0]["Records"].as_array().unwrap().len(), 15);
}
