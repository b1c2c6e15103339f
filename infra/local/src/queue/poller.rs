//! The queue trigger, Lambda's event source mapping for a queue.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::errors::QueueError;
use super::event;
use super::message::Message;
use super::queues::{Queues, Receive};
use crate::invoke::Functions;
use crate::log::Log;
use crate::partial_answer;
use crate::template::QueueTrigger;

/// Concurrent batches at the start: Lambda's number.
const CONCURRENCY_FIRST: usize = 5;

/// Concurrent batches without a maximum in the template: Lambda's number.
const CONCURRENCY_MAX: usize = 1250;

/// A batch that waits for a slot for this time adds [`CONCURRENCY_FIRST`] slots. Lambda adds 300 a minute. Without a
/// slow start, a burst of messages would start a process for each.
const CROWDED_AFTER: Duration = Duration::from_millis(500);

/// How long one receive call waits for a message.
const WAIT: Duration = Duration::from_secs(20);

/// Most messages of one receive call.
const RECEIVE_MAX: usize = 10;

#[derive(Clone)]
struct Poller {
    trigger: Arc<QueueTrigger>,
    /// The queue's name. (The trigger has its logical id.)
    queue: String,
    queues: Queues,
    functions: Functions,
    log: Log,
}

/// Invokes the trigger's function with the messages of its queue, until the future is dropped.
///
/// Messages that succeeded are deleted. The others stay hidden until their visibility timeout has passed; then they are
/// received again or go to the dead-letter queue.
pub async fn run(trigger: QueueTrigger, queues: Queues, functions: Functions, log: Log) -> Result<(), QueueError> {
    let poller = Poller {
        queue: queues.name_of(&trigger.queue)?.to_owned(),
        trigger: Arc::new(trigger),
        queues,
        functions,
        log,
    };
    // No more batches than can run: fair queuing cannot reorder messages that have left the queue.
    let most = poller.trigger.max_concurrency.unwrap_or(CONCURRENCY_MAX).min(poller.functions.at_once());
    let mut slots = Slots::new(most);
    let mut batches = JoinSet::new();
    loop {
        // The slot comes first, because a received message's visibility timeout runs.
        let slot = slots.take().await;
        match poller.gather().await {
            Ok(batch) => {
                let poller = poller.clone();
                batches.spawn(async move {
                    poller.process(&batch).await;
                    drop(slot);
                });
            }
            Err(error) => {
                poller.warn(&format!("{}: {error}", poller.queue));
                tokio::time::sleep(Duration::from_secs(1)).await;
            }
        }
        while batches.try_join_next().is_some() {}
    }
}

/// Slots for concurrent batches: few at first, more while they are not enough.
struct Slots {
    free: Arc<Semaphore>,
    open: usize,
    max: usize,
}

impl Slots {
    fn new(max: usize) -> Self {
        let open = CONCURRENCY_FIRST.min(max);
        Self { free: Arc::new(Semaphore::new(open)), open, max }
    }

    /// Waits for a slot. Dropping the permit frees it. `None` if the semaphore is closed, which never happens.
    async fn take(&mut self) -> Option<OwnedSemaphorePermit> {
        loop {
            let place = self.free.clone().acquire_owned();
            match tokio::time::timeout(CROWDED_AFTER, place).await {
                Ok(place) => return place.ok(),
                Err(_) => {
                    let more = CONCURRENCY_FIRST.min(self.max - self.open);
                    self.open += more;
                    self.free.add_permits(more);
                }
            }
        }
    }
}

impl Poller {
    fn warn(&self, problem: &str) {
        self.log.warning(&self.trigger.function, problem);
    }

    /// Waits for a batch.
    async fn gather(&self) -> Result<Vec<Message>, QueueError> {
        let mut batch = Vec::new();
        let mut deadline = None;
        loop {
            let wait = deadline.map_or(WAIT, |at: Instant| at.duration_since(Instant::now()));
            let ask =
                Receive { limit: (self.trigger.batch_size - batch.len()).min(RECEIVE_MAX), visibility: None, wait };
            let received = self.queues.receive_and_redrive(&self.queue, ask).await?;
            for message_id in &received.given_up {
                let queue = &self.queue;
                self.warn(&format!("{queue}: {message_id} was received too often and went to the dead-letter queue"));
            }
            batch.extend(received.messages);
            if batch.is_empty() {
                continue;
            }
            // The window opens with the first message.
            let ends = *deadline.get_or_insert_with(|| Instant::now() + self.trigger.batching_window);
            if batch.len() >= self.trigger.batch_size || Instant::now() >= ends {
                return Ok(batch);
            }
        }
    }

    async fn process(&self, batch: &[Message]) {
        let function = &self.trigger.function;
        let arn = self.queues.arn(&self.queue);
        let event = event::event(batch, &arn, self.queues.region());
        let answer = self.functions.invoke(function, event.to_string().into()).await;
        let failed = match answer {
            Ok(answer) => self.failed(&answer, batch),
            Err(error) => Err(error.to_string()),
        };
        let failed = failed.unwrap_or_else(|error| {
            self.warn(&format!("a batch of {} failed: {error}", batch.len()));
            batch.iter().map(|message| message.message_id.clone()).collect()
        });
        let done: Vec<&str> = batch
            .iter()
            .filter(|message| !failed.contains(&message.message_id))
            .map(|message| message.receipt_handle.as_str())
            .collect();
        if !failed.is_empty() && !done.is_empty() {
            let (failed, all) = (batch.len() - done.len(), batch.len());
            self.warn(&format!("{failed} of {all} messages failed"));
        }
        if let Err(error) = self.queues.delete(&self.queue, &done) {
            self.warn(&format!("{}: {error}", self.queue));
        }
    }

    /// Ids of the failed messages in the function's answer.
    fn failed(&self, answer: &[u8], batch: &[Message]) -> Result<BTreeSet<String>, String> {
        if !self.trigger.report_item_failures {
            return Ok(BTreeSet::new());
        }
        let known = |id: &str| batch.iter().any(|message| message.message_id == id);
        let failed = partial_answer::failures(answer, known).map_err(|error| error.to_string())?;
        Ok(failed.into_iter().collect())
    }
}
