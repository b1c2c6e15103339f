//! Payments from creation to webhook; the walk replaces Lambda's pollers.

use std::collections::BTreeMap;

use futures::{StreamExt, stream};
use serde_json::{Value, json};
use spillway_bench::cost::figures::{Measured, Used};
use spillway_tests::terms::SHARDS;
use spillway_tests::{event, unique};

use super::meter::{Scene, answer_bytes};
use super::queue_proxy::billed;

const CLIENTS: usize = 8;
/// The largest batch of the stream's trigger in the template.
const CHANGES: usize = 100;
/// Messages in one request to SQS.
const REQUEST: usize = 10;
/// Each consumer with its queue and the largest batch of its trigger in the template.
const PROCESSOR: (&str, &str, usize) = ("call-processor", "ProcessorQueue", 10);
const FOLDS: (&str, &str, usize) = ("fold-balance", "FoldsQueue", 100);
const WEBHOOKS: (&str, &str, usize) = ("deliver-webhook", "WebhooksQueue", 10);

/// Batch sizes of a walk.
#[derive(Clone, Copy, PartialEq)]
pub enum Batches {
    /// One message or change in each batch.
    OfOne,
    /// Full batches, as large as the triggers allow.
    Full,
}

impl Scene {
    /// Takes this many payments from creation to webhook.
    pub async fn walk(&mut self, count: usize, batches: Batches) -> Result<Measured, String> {
        let delivered = self.receiver.count();
        let mut functions: BTreeMap<String, Used> = BTreeMap::new();
        let mut add = |function: &str, used: Used| *functions.entry(function.to_owned()).or_default() += used;
        let (created, mut used) = self.metered("create-payment", count, async || self.create(count).await).await?;
        used.bytes_out = created.iter().map(|(_, bytes)| bytes).sum();
        add("create-payment", used);
        let tenant = self.merchant.tenant();
        let changes: Vec<_> = created.iter().map(|(id, _)| (format!("{tenant}#{id}"), "payment".to_owned())).collect();
        self.last_payment = created.into_iter().map(|(id, _)| id).next_back().unwrap_or_default();
        add("dispatch-changes", self.dispatch(&changes, batches).await?);
        add(PROCESSOR.0, self.consume(PROCESSOR, batches).await?);
        let changes = self.appeared().await;
        add("dispatch-changes", self.dispatch(&changes, batches).await?);
        add(FOLDS.0, self.consume(FOLDS, batches).await?);
        let mut used = self.consume(WEBHOOKS, batches).await?;
        let attempts = self.receiver.attempts().split_off(delivered);
        if attempts.len() != count {
            return Err(format!("{} webhooks came for {count} payments", attempts.len()));
        }
        let sizes = attempts.iter().map(|attempt| {
            let headers = attempt.headers.iter().map(|(name, value)| name.as_str().len() + value.len() + 4);
            headers.sum::<usize>() + attempt.body.len()
        });
        used.bytes_out = u64::try_from(sizes.sum::<usize>()).unwrap_or_default();
        add(WEBHOOKS.0, used);
        Ok(Measured { count: u64::try_from(count).unwrap_or_default(), functions })
    }

    /// Folds the movements of walks whose last payments brought no fold.
    pub async fn fold_the_rest(&self) -> Result<Measured, String> {
        let message = event::sqs(&[event::balance_message(&self.merchant.id, "USD")]);
        let (done, used) = self.metered(FOLDS.0, 1, async || self.invoke(FOLDS.0, &message).await).await?;
        done.map(|()| Measured { count: 0, functions: [(FOLDS.0.to_owned(), used)].into() })
    }

    /// Creates payments; returns their ids and the sizes of the answers.
    async fn create(&self, count: usize) -> Vec<(String, u64)> {
        let create = |_| async {
            let payment = json!({"amount": 1250, "currency": "USD", "token": "tok_visa_1", "description": "Order 1001",
                "metadata": {"cart": "7"}});
            let answer = self.merchant.client.create_payment(&unique(), &payment).await.expect(202);
            (answer.id().to_owned(), answer_bytes(&answer))
        };
        stream::iter(0..count).map(create).buffer_unordered(CLIENTS).collect().await
    }

    /// Movements and events that are new in the table.
    async fn appeared(&mut self) -> Vec<(String, String)> {
        let mut found = Vec::new();
        for (kind, shard) in ["movements", "events"].iter().flat_map(|kind| (0..SHARDS).map(move |shard| (kind, shard)))
        {
            let pk = format!("{}#{kind}#{shard}", self.merchant.tenant());
            for item in self.stack.table().partition(&pk).await {
                let key = (pk.clone(), item["sk"].as_str().unwrap_or_default().to_owned());
                if self.dispatched.insert(key.clone()) {
                    found.push(key);
                }
            }
        }
        found
    }

    /// Hands insertions to the stream's consumer. (Lambda's own reads of the stream are not billed.)
    async fn dispatch(&self, inserted: &[(String, String)], batches: Batches) -> Result<Used, String> {
        let size = if batches == Batches::Full { CHANGES } else { 1 };
        let times = inserted.len().div_ceil(size);
        let invoked = self.metered("dispatch-changes", times, async || {
            for batch in inserted.chunks(size) {
                self.invoke("dispatch-changes", &event::stream(batch)).await?;
            }
            Ok::<(), String>(())
        });
        let (done, used) = invoked.await?;
        done.map(|()| used)
    }

    /// Receives all messages, batch by batch, hands them to their consumer and deletes them.
    async fn consume(&self, consumer: (&str, &str, usize), batches: Batches) -> Result<Used, String> {
        let (function, queue, most) = consumer;
        let (queues, size) = (self.stack.queues(), if batches == Batches::Full { most } else { 1 });
        let url = queues.url(queue).await;
        let mut sum = Used::default();
        loop {
            let (mut bodies, mut receipts, mut receives) = (Vec::new(), Vec::new(), 0);
            while bodies.len() < size {
                let limit = (size - bodies.len()).min(REQUEST);
                let answer =
                    queues.call("ReceiveMessage", json!({"QueueUrl": url, "MaxNumberOfMessages": limit})).await;
                let Some(messages) = answer["Messages"].as_array().filter(|messages| !messages.is_empty()) else {
                    break;
                };
                receives += billed(answer.to_string().len());
                let text = |message: &Value, name: &str| message[name].as_str().unwrap_or_default().to_owned();
                bodies.extend(messages.iter().map(|message| text(message, "Body").parse().unwrap_or_default()));
                receipts.extend(messages.iter().map(|message| text(message, "ReceiptHandle")));
            }
            if bodies.is_empty() {
                return Ok(sum);
            }
            let event = event::sqs(&bodies);
            let (done, mut used) = self.metered(function, 1, async || self.invoke(function, &event).await).await?;
            done?;
            used.receives = receives;
            for part in receipts.chunks(REQUEST) {
                let entry =
                    |(number, receipt): (usize, &String)| json!({"Id": number.to_string(), "ReceiptHandle": receipt});
                let entries: Vec<Value> = part.iter().enumerate().map(entry).collect();
                queues.call("DeleteMessageBatch", json!({"QueueUrl": url, "Entries": entries})).await;
                used.deletes += 1;
            }
            sum += used;
        }
    }

    /// Invokes a consumer, which must process the whole batch.
    async fn invoke(&self, function: &str, event: &Value) -> Result<(), String> {
        let answer = self.stack.invoke(function, event).await.map_err(|error| format!("{function}: {error}"))?;
        if answer == json!({"batchItemFailures": []}) { Ok(()) } else { Err(format!("{function} answered {answer}")) }
    }
}
