//! The queues through their wire format, without a network, with a clock that the tests set.

mod batches;
mod delivery;
mod in_turn;
mod queues;
mod redrive;
mod trigger;

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use serde_json::{Value, json};

use super::api::Api;
use super::errors::{ApiError, Kind};
use super::queues::Queues;
use super::server::call;
use crate::files::tests::Scratch;
use crate::template;

const REGION: &str = "eu-north-1";

/// Two queues, `work` and its dead-letter queue `dead`, in a file that is removed at the end.
struct Bench {
    api: Api,
    now: Arc<AtomicI64>,
    path: PathBuf,
    _scratch: Scratch,
}

impl Bench {
    fn new() -> Self {
        Self::with(false)
    }

    fn with(disorder: bool) -> Self {
        let scratch = Scratch::new();
        let path = scratch.file("queues.db");
        let now = Arc::new(AtomicI64::new(1_000_000));
        let api = Self::open(&path, &now, disorder);
        Self { api, now, path, _scratch: scratch }
    }

    fn open(path: &std::path::Path, now: &Arc<AtomicI64>, disorder: bool) -> Api {
        let clock = now.clone();
        let clock = Arc::new(move || clock.load(Ordering::SeqCst));
        let queues = Queues::open(path, REGION, &settings(), clock, disorder).unwrap();
        let base_url = "http://127.0.0.1:9324".to_owned();
        Api { queues, base_url }
    }

    /// Opens the file again, as after a kill.
    fn restart(&mut self) {
        self.api = Self::open(&self.path, &self.now, false);
    }

    fn wait_s(&self, seconds: i64) {
        self.now.fetch_add(seconds * 1000, Ordering::SeqCst);
    }

    async fn call(&self, action: &str, mut request: Value) -> Result<Value, ApiError> {
        if request.get("QueueUrl").is_none() {
            request["QueueUrl"] = self.api.url("work").into();
        }
        call(&self.api, action, request.to_string().as_bytes()).await
    }

    async fn ok(&self, action: &str, request: Value) -> Value {
        self.call(action, request).await.unwrap()
    }

    async fn refused(&self, action: &str, request: Value) -> Kind {
        self.call(action, request).await.unwrap_err().kind
    }

    async fn send(&self, body: &str) {
        self.ok("SendMessage", json!({"MessageBody": body})).await;
    }

    /// Receives up to ten messages.
    async fn receive(&self) -> Vec<Value> {
        self.receive_from("work").await
    }

    async fn receive_from(&self, queue: &str) -> Vec<Value> {
        let request = json!({
            "QueueUrl": self.api.url(queue),
            "MaxNumberOfMessages": 10,
            "MessageSystemAttributeNames": ["All"],
        });
        let answer = self.ok("ReceiveMessage", request).await;
        answer["Messages"].as_array().cloned().unwrap_or_default()
    }

    /// Visible, in flight, delayed.
    fn counts(&self, queue: &str) -> (i64, i64, i64) {
        let counts = self.api.queues.counts(queue).unwrap();
        (counts.visible, counts.in_flight, counts.delayed)
    }
}

fn settings() -> Vec<template::Queue> {
    let queue = |logical_id: &str, name: &str| template::Queue {
        logical_id: logical_id.to_owned(),
        name: name.to_owned(),
        visibility: Duration::from_secs(30),
        delay: Duration::ZERO,
        retention: Duration::from_secs(3600),
        receive_wait: Duration::ZERO,
        redrive: None,
    };
    let mut work = queue("WorkQueue", "work");
    work.redrive = Some(template::Redrive { dead_letter: "DeadLetters".to_owned(), max_receive_count: 2 });
    vec![work, queue("DeadLetters", "dead")]
}

fn bodies(messages: &[Value]) -> Vec<&str> {
    let bodies = messages.iter().map(|message| message["Body"].as_str());
    bodies.map(Option::unwrap).collect()
}

fn handle(message: &Value) -> &Value {
    &message["ReceiptHandle"]
}
