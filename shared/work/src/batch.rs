//! A batch of a queue's messages and its partial answer.

use std::collections::HashMap;
use std::future::Future;
use std::panic::AssertUnwindSafe;

use futures::{FutureExt as _, StreamExt as _, stream};
use serde::{Deserialize, Serialize};

use spillway_domain::currency::Currency;
use spillway_domain::id::MerchantId;

use super::queues::HasQueues;
use super::subject::{Done, Subject};
use spillway_runtime::Context;
use spillway_store::{StoreError, WorkItem};

/// Seconds before a failed message's first repetition; doubles with each.
const BACK_OFF_S: u32 = 2;
const BACK_OFF_S_MAX: u32 = 900;
/// Items worked on at once: what a hundred balances have to fold after an outage would not fit into a function's memory.
const AT_ONCE: usize = 10;

/// Why a piece of work was not done. It is tried again.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WorkError {
    /// The table failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A queue failed.
    #[error("the queue can't take it: {0}")]
    Queue(String),
    /// The message or change does not say what Spillway's own say.
    #[error("it can't be read")]
    Unreadable,
    /// No work is known for an item with this key.
    #[error("no work is known for this key")]
    UnknownKey,
    /// The rules refuse what was read.
    #[error("it breaks a rule: {0}")]
    Refused(String),
    /// The merchant has no price for this currency, so nothing can be posted in it.
    #[error("the merchant {0} has no price for {1}")]
    NoPrice(MerchantId, Currency),
    /// The code panicked; the place is in the log.
    #[error("panic")]
    Panicked,
}

/// The event that Lambda sends for a queue: the fields that are used.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct MessagesEvent {
    #[serde(rename = "Records", default)]
    records: Vec<MessageRecord>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct MessageRecord {
    message_id: String,
    #[serde(default)]
    receipt_handle: String,
    body: String,
    #[serde(default)]
    attributes: HashMap<String, String>,
    #[serde(rename = "eventSourceARN", default)]
    source_arn: String,
}

/// The answer to a batch of a queue or of the stream: what was not done.
#[derive(Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct BatchResponse {
    batch_item_failures: Vec<ItemFailure>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct ItemFailure {
    item_identifier: String,
}

impl BatchResponse {
    /// These were not done.
    pub fn failed(identifiers: impl IntoIterator<Item = String>) -> BatchResponse {
        let failures = identifiers.into_iter().map(|item_identifier| ItemFailure { item_identifier });
        BatchResponse { batch_item_failures: failures.collect() }
    }
}

/// A batch of messages, each distinct item once.
#[derive(Debug)]
pub struct Batch {
    records: Vec<MessageRecord>,
    /// For each record the index of its item, none if it can't be read.
    item_of: Vec<Option<usize>>,
    items: Vec<WorkItem>,
}

/// A message that failed.
#[derive(Debug)]
pub struct Fault {
    /// For the log.
    pub subject: String,
    /// Why.
    pub error: WorkError,
    item: Option<WorkItem>,
    receipt_handle: String,
    receives: u32,
}

impl From<MessagesEvent> for Batch {
    fn from(event: MessagesEvent) -> Batch {
        let mut items: Vec<WorkItem> = Vec::new();
        let mut item_of = Vec::with_capacity(event.records.len());
        for record in &event.records {
            item_of.push(serde_json::from_str::<WorkItem>(&record.body).ok().map(|item| {
                items.iter().position(|known| *known == item).unwrap_or_else(|| {
                    items.push(item);
                    items.len() - 1
                })
            }));
        }
        Batch { records: event.records, item_of, items }
    }
}

impl Batch {
    /// Each item once, however many messages name it.
    pub fn items(&self) -> Vec<WorkItem> {
        self.items.clone()
    }

    /// How many messages there are.
    pub fn len(&self) -> usize {
        self.records.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.records.is_empty()
    }

    /// The queue's name, for the log.
    pub fn queue_name(&self) -> &str {
        self.records.first().and_then(|record| record.source_arn.rsplit(':').next()).unwrap_or_default()
    }

    /// For the log: each item with what came of it, as the results say; what failed says why in a line of its own.
    pub fn subjects(&self, results: &[Result<Vec<Done>, WorkError>]) -> Vec<Subject> {
        let failed = || Done::new("failed");
        let mut subjects = Vec::with_capacity(self.records.len());
        for (index, item) in self.items.iter().enumerate() {
            let subject = Subject::from(item);
            match results.get(index) {
                Some(Ok(all)) if all.is_empty() => subjects.push(subject),
                Some(Ok(all)) => subjects.extend(all.iter().map(|done| subject.clone().done(done.clone()))),
                Some(Err(_)) | None => subjects.push(subject.done(failed())),
            }
        }
        let unreadable = self.records.iter().zip(&self.item_of).filter(|(_, item)| item.is_none());
        subjects.extend(unreadable.map(|(record, _)| Subject::new(&record.message_id).done(failed())));
        subjects
    }

    /// The answer: every message whose item failed, has no result, or can't be read.
    pub fn response(&self, results: &[Result<Vec<Done>, WorkError>]) -> (BatchResponse, Vec<Fault>) {
        let mut failed = Vec::new();
        let mut faults = Vec::new();
        for (record, item) in self.records.iter().zip(&self.item_of) {
            let error = match item.map(|index| results.get(index)) {
                Some(Some(Ok(_))) => None,
                Some(Some(Err(error))) => Some(error.clone()),
                Some(None) => Some(WorkError::Panicked),
                None => Some(WorkError::Unreadable),
            };
            if let Some(error) = error {
                let item = item.and_then(|index| self.items.get(index)).cloned();
                let receives = record.attributes.get("ApproximateReceiveCount").and_then(|count| count.parse().ok());
                faults.push(Fault {
                    subject: item.as_ref().map_or_else(|| record.message_id.clone(), ToString::to_string),
                    error,
                    item,
                    receipt_handle: record.receipt_handle.clone(),
                    receives: receives.unwrap_or(1),
                });
                failed.push(record.message_id.clone());
            }
        }
        (BatchResponse::failed(failed), faults)
    }
}

/// Lets each failed message wait, longer each time and not all equally long. One that this fails for, or that can't be
/// read, waits for the queue's visibility timeout.
pub async fn back_off<P: HasQueues>(context: &Context<P>, faults: &[Fault]) {
    let waits = faults.iter().filter(|fault| !fault.receipt_handle.is_empty()).filter_map(|fault| {
        let queue = fault.item.as_ref()?.queue();
        let most = BACK_OFF_S.saturating_mul(1 << fault.receives.saturating_sub(1).min(16)).min(BACK_OFF_S_MAX);
        let wait_s = context.random_between(most.div_ceil(2), most);
        Some(async move {
            if let Err(error) = context.queues().wait(queue, &fault.receipt_handle, wait_s).await {
                tracing::warn!(subject = %fault.subject, error = %error, "back-off failed");
            }
        })
    });
    futures::future::join_all(waits).await;
}

/// Works on the items, some at once, and answers in their order; a panic fails only the item that caused it.
pub async fn each<F, Fut, T>(items: Vec<WorkItem>, work: F) -> Vec<Result<T, WorkError>>
where
    F: Fn(WorkItem) -> Fut,
    Fut: Future<Output = Result<T, WorkError>>,
{
    let all = items.into_iter().map(|item| {
        let work = AssertUnwindSafe(work(item)).catch_unwind();
        async move { work.await.unwrap_or(Err(WorkError::Panicked)) }
    });
    stream::iter(all).buffered(AT_ONCE).collect().await
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    fn batch(bodies: &[&str]) -> Batch {
        let records = bodies.iter().enumerate().map(|(index, body)| {
            serde_json::json!({"messageId": index.to_string(), "receiptHandle": "r", "body": body,
                "attributes": {"ApproximateReceiveCount": "3"}, "eventSourceARN": "arn:aws:sqs:r:1:stack-processor"})
        });
        let event = serde_json::json!({"Records": records.collect::<Vec<_>>()});
        Batch::from(serde_json::from_value::<MessagesEvent>(event).unwrap())
    }

    fn balance(currency: &str) -> String {
        let merchant = spillway_domain::id::MerchantId::derive(&["m"]);
        format!(r#"{{"pk":"{merchant}#test#balances","sk":"{currency}"}}"#)
    }

    fn identifiers(response: &BatchResponse) -> Vec<&str> {
        response.batch_item_failures.iter().map(|failure| failure.item_identifier.as_str()).collect()
    }

    #[test]
    fn a_item_named_twice_is_worked_on_once_and_answers_for_both_messages() {
        let (usd, eur) = (balance("USD"), balance("EUR"));
        let batch = batch(&[&usd, &eur, &usd]);
        assert_eq!(batch.items().len(), 2);
        let (response, faults) = batch.response(&[Err(WorkError::Panicked), Ok(Vec::new())]);
        assert_eq!(identifiers(&response), ["0", "2"]);
        assert_eq!(faults[0].receives, 3);
    }

    #[test]
    fn an_unreadable_message_fails_alone() {
        let usd = balance("USD");
        let batch = batch(&["poison", &usd]);
        assert_eq!(identifiers(&batch.response(&[Ok(Vec::new())]).0), ["0"]);
    }

    #[test]
    fn without_results_every_message_failed() {
        let usd = balance("USD");
        assert_eq!(identifiers(&batch(&[&usd, &usd]).response(&[]).0), ["0", "1"]);
    }

    #[test]
    fn each_item_is_named_with_what_came_of_it() {
        let merchant = spillway_domain::id::MerchantId::derive(&["m"]);
        let delivery = format!(
            r#"{{"pk":"{merchant}#live#{}","sk":"{}"}}"#,
            spillway_domain::id::EventId::derive(&["e"]),
            spillway_domain::id::EndpointId::derive(&["w"])
        );
        let (usd, eur, jpy) = (balance("USD"), balance("EUR"), balance("JPY"));
        let batch = batch(&[&usd, &delivery, "poison", &eur, &usd, &jpy]);
        let done = |outcome: &str| Done::new(outcome).with("pay_1").begun_by("req-0");
        let results = [
            Ok(vec![Done::new("one"), done("other")]),
            Ok(done("204").into()),
            Err(WorkError::Unreadable),
            Ok(Vec::new()),
        ];
        let told = serde_json::to_value(batch.subjects(&results)).unwrap();
        let other = serde_json::json!({"id": "test USD", "merchant": merchant, "outcome": "other", "with": ["pay_1"],
            "request_id": "req-0"});
        let delivered = serde_json::json!({"id": spillway_domain::id::EventId::derive(&["e"]), "merchant": merchant,
            "outcome": "204", "with": [spillway_domain::id::EndpointId::derive(&["w"]), "pay_1"],
            "request_id": "req-0"});
        let expected = serde_json::json!([
            {"id": "test USD", "merchant": merchant, "outcome": "one"}, other, delivered,
            {"id": "test EUR", "merchant": merchant, "outcome": "failed"},
            {"id": "test JPY", "merchant": merchant},
            {"id": "2", "outcome": "failed"},
        ]);
        assert_eq!(told, expected);
    }

    #[test]
    fn the_answer_has_the_shape_that_lambda_reads() {
        let answer = serde_json::to_value(BatchResponse::failed(["7".to_owned()])).unwrap();
        assert_eq!(answer, serde_json::json!({"batchItemFailures": [{"itemIdentifier": "7"}]}));
    }

    #[tokio::test]
    async fn a_panic_fails_only_the_item_that_caused_it() {
        let item = |currency| serde_json::from_str::<WorkItem>(&balance(currency)).unwrap();
        let work = |item: WorkItem| async move {
            assert_ne!(item.to_string(), "test EUR", "this panic is wanted");
            Ok(())
        };
        let results = each(vec![item("USD"), item("EUR"), item("JPY")], work).await;
        assert_eq!(results, [Ok(()), Err(WorkError::Panicked), Ok(())]);
    }

    #[tokio::test]
    async fn ten_are_worked_on_at_once_and_no_more() {
        let (running, most) = (Cell::new(0), Cell::new(0));
        let work = |_| async {
            running.set(running.get() + 1);
            most.set(most.get().max(running.get()));
            tokio::task::yield_now().await;
            running.set(running.get() - 1);
            Ok(())
        };
        let item: WorkItem = serde_json::from_str(&balance("USD")).unwrap();
        assert_eq!(each(vec![item; 25], work).await, vec![Ok(()); 25]);
        assert_eq!(most.get(), 10);
    }
}
