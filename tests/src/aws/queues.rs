//! The queues, through SQS's own API.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::api::eventually::{Deadline, eventually};
use crate::table::call_aws;

/// The work queues.
pub const WORK: [&str; 3] = ["ProcessorQueue", "FoldsQueue", "WebhooksQueue"];

/// All queues of a stack.
#[derive(Debug, Clone)]
pub struct Queues {
    http: reqwest::Client,
    url: String,
}

impl Queues {
    pub(crate) fn new(http: &reqwest::Client, url: &str) -> Queues {
        Queues { http: http.clone(), url: url.to_owned() }
    }

    /// Calls an operation (`SendMessage`, …).
    pub async fn call(&self, operation: &str, request: Value) -> Value {
        self.try_call(operation, request).await.unwrap_or_else(|error| panic!("{operation}: {error}"))
    }

    /// The same; `Err` says why SQS does not answer.
    pub async fn try_call(&self, operation: &str, request: Value) -> Result<Value, String> {
        let target = format!("AmazonSQS.{operation}");
        call_aws(&self.http, &self.url, "sqs", &target, "application/x-amz-json-1.0", &request).await
    }

    /// The URL of the queue whose name contains `part`, as `ProcessorQueue` (case and dashes are ignored).
    pub async fn url(&self, part: &str) -> String {
        self.try_url(part).await.unwrap_or_else(|error| panic!("{error}"))
    }

    async fn try_url(&self, part: &str) -> Result<String, String> {
        let list = self.try_call("ListQueues", json!({})).await?;
        let urls = list["QueueUrls"].as_array().cloned().unwrap_or_default();
        let letters = |text: &str| text.to_lowercase().replace('-', "");
        let found = urls.iter().filter_map(Value::as_str).find(|url| letters(url).contains(&letters(part)));
        found.map(str::to_owned).ok_or_else(|| format!("no queue {part} among {urls:?}"))
    }

    /// The URLs of the work queues.
    pub async fn work_urls(&self) -> Vec<String> {
        self.try_work_urls().await.unwrap_or_else(|error| panic!("{error}"))
    }

    /// The same; `Err` says why SQS does not answer.
    pub async fn try_work_urls(&self) -> Result<Vec<String>, String> {
        let mut urls = Vec::new();
        for queue in WORK {
            urls.push(self.try_url(queue).await?);
        }
        Ok(urls)
    }

    /// Sends a message to the queue at `url`.
    pub async fn send(&self, url: &str, body: &str) {
        self.call("SendMessage", json!({"QueueUrl": url, "MessageBody": body})).await;
    }

    /// Number of messages in the queue at `url`: visible, delayed or in flight.
    pub async fn depth(&self, url: &str) -> u64 {
        self.try_depth(url).await.unwrap_or_else(|error| panic!("GetQueueAttributes: {error}"))
    }

    /// The same; `Err` says why SQS does not answer.
    pub async fn try_depth(&self, url: &str) -> Result<u64, String> {
        let names = ["", "NotVisible", "Delayed"].map(|kind| format!("ApproximateNumberOfMessages{kind}"));
        let request = json!({"QueueUrl": url, "AttributeNames": names});
        let answer = self.try_call("GetQueueAttributes", request).await?;
        let count = |name: &String| answer["Attributes"][name].as_str().map_or(0, |count| count.parse().unwrap());
        Ok(names.iter().map(count).sum())
    }

    /// Receives messages from the queue at `url` until `count` different ones have arrived; returns their bodies.
    pub async fn take(&self, url: &str, count: usize) -> Vec<Value> {
        let mut bodies: BTreeSet<String> = BTreeSet::new();
        let taken = eventually(&format!("{count} messages"), Deadline::SOON, async || {
            let answer = self.call("ReceiveMessage", json!({"QueueUrl": url, "MaxNumberOfMessages": 10})).await;
            let messages = answer["Messages"].as_array().cloned().unwrap_or_default();
            bodies.extend(messages.iter().map(|message| message["Body"].as_str().unwrap().to_owned()));
            if bodies.len() < count { Err(format!("{bodies:?}")) } else { Ok(bodies.clone()) }
        })
        .await;
        taken.iter().map(|body| serde_json::from_str(body).unwrap()).collect()
    }
}

/// Copies of each message in a queue: two when the suite runs with `QUEUE_DISORDER=1`.
pub fn copies() -> u64 {
    if std::env::var("QUEUE_DISORDER").is_ok_and(|value| value == "1") { 2 } else { 1 }
}
