//! A batch of a queue's messages, and the partial batch response.

use std::collections::HashMap;
use std::future::Future;
use std::panic::AssertUnwindSafe;

use futures::{FutureExt as _, StreamExt as _, stream};
use serde::{Deserialize, Serialize};

use super::error::WorkError;
use super::queues::HasQueues;
use super::subject::{Outcome, Subject};
use spillway_runtime::Context;
use spillway_store::WorkItem;

/// Items of a batch that are worked on at the same time. After an outage, the movements of a hundred balances would not
/// fit into a function's memory.
const AT_ONCE: usize = 10;

/// The attribute of a message with the number of its receives.
const RECEIVES: &str = "ApproximateReceiveCount";

/// The event that Lambda sends for a queue, with the fields that are used.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct MessagesEvent {
    #[serde(rename = "Records", default)]
    records: Vec<MessageRecord>,
}

/// A message, as Lambda sends it.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct MessageRecord {
    message_id: String,
    #[serde(default)]
    receipt_handle: String,
    body: String,
    #[serde(default)]
    attributes: HashMap<String, String>,
    #[serde(rename = "eventSourceARN", default)]
    source_arn: String,
}

impl MessageRecord {
    /// A message that was received without Lambda.
    pub(super) fn received(
        message_id: Option<String>, receipt_handle: Option<String>, body: Option<String>, receives: Option<String>,
    ) -> MessageRecord {
        MessageRecord {
            message_id: message_id.unwrap_or_default(),
            receipt_handle: receipt_handle.unwrap_or_default(),
            body: body.unwrap_or_default(),
            attributes: receives.map(|count| (RECEIVES.to_owned(), count)).into_iter().collect(),
            source_arn: String::new(),
        }
    }
}

/// The partial batch response for a queue or the stream: the messages or changes that failed.
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
    /// The response in which the messages or changes with these identifiers failed.
    pub fn failed(identifiers: impl IntoIterator<Item = String>) -> BatchResponse {
        let failures = identifiers.into_iter().map(|item_identifier| ItemFailure { item_identifier });
        BatchResponse { batch_item_failures: failures.collect() }
    }
}

/// A batch of messages, with each distinct item once.
#[derive(Debug, Default)]
pub struct Batch {
    records: Vec<MessageRecord>,
    /// For each record, the index of its item. None if the message can't be read.
    item_of: Vec<Option<usize>>,
    items: Vec<WorkItem>,
}

/// A message that failed.
#[derive(Debug)]
pub struct Fault {
    /// The names of the item in the log, or the message's id if it can't be read.
    pub subject: String,
    /// Why it failed.
    pub error: WorkError,
    item: Option<WorkItem>,
    receipt_handle: String,
    receives: u32,
}

impl From<MessagesEvent> for Batch {
    fn from(event: MessagesEvent) -> Batch {
        Batch::of(event.records)
    }
}

impl Batch {
    /// The batch of these messages.
    pub(super) fn of(records: impl IntoIterator<Item = MessageRecord>) -> Batch {
        let records: Vec<MessageRecord> = records.into_iter().collect();
        let mut items: Vec<WorkItem> = Vec::new();
        let mut item_of = Vec::with_capacity(records.len());
        for record in &records {
            item_of.push(serde_json::from_str::<WorkItem>(&record.body).ok().map(|item| {
                items.iter().position(|known| *known == item).unwrap_or_else(|| {
                    items.push(item);
                    items.len() - 1
                })
            }));
        }
        Batch { records, item_of, items }
    }

    /// The distinct items. An item is returned once even if several messages name it.
    pub fn items(&self) -> Vec<WorkItem> {
        self.items.clone()
    }

    /// The number of messages.
    pub fn len(&self) -> usize {
        self.records.len()
    }

    /// Whether the batch has no message.
    pub fn is_empty(&self) -> bool {
        self.records.is_empty()
    }

    /// The queue's name, for the log.
    pub fn queue_name(&self) -> &str {
        self.records.first().and_then(|record| record.source_arn.rsplit(':').next()).unwrap_or_default()
    }

    /// The subjects for the log: each item with its result. Failed items have the outcome `failed`; a separate line
    /// says why.
    pub fn subjects(&self, results: &[Result<Vec<Outcome>, WorkError>]) -> Vec<Subject> {
        let failed = || Outcome::new("failed");
        let mut subjects = Vec::with_capacity(self.records.len());
        for (index, item) in self.items.iter().enumerate() {
            let subject = Subject::from(item);
            match results.get(index) {
                Some(Ok(all)) if all.is_empty() => subjects.push(subject),
                Some(Ok(all)) => subjects.extend(all.iter().map(|outcome| subject.clone().outcome(outcome.clone()))),
                Some(Err(_)) | None => subjects.push(subject.outcome(failed())),
            }
        }
        let unreadable = self.records.iter().zip(&self.item_of).filter(|(_, item)| item.is_none());
        subjects.extend(unreadable.map(|(record, _)| Subject::new(&record.message_id).outcome(failed())));
        subjects
    }

    /// Returns the response and the faults. A message fails if it can't be read, or if its item failed or has no result.
    /// The response names each failed message, and each has one fault.
    pub fn response(&self, results: &[Result<Vec<Outcome>, WorkError>]) -> (BatchResponse, Vec<Fault>) {
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
                let receives = record.attributes.get(RECEIVES).and_then(|count| count.parse().ok());
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

impl Batch {
    /// The receipt handles of the messages that did not fail.
    pub fn done<'a>(&'a self, faults: &[Fault]) -> Vec<&'a str> {
        let handles = self.records.iter().map(|record| record.receipt_handle.as_str());
        handles.filter(|handle| faults.iter().all(|fault| fault.receipt_handle != *handle)).collect()
    }
}

/// Delays each failed message by a random time that grows with its receive count. A message that can't be read, or that
/// can't be delayed, waits for the queue's visibility timeout.
pub async fn back_off<P: HasQueues>(context: &Context<P>, faults: &[Fault]) {
    let waits = faults.iter().filter(|fault| !fault.receipt_handle.is_empty()).filter_map(|fault| {
        let queue = fault.item.as_ref()?.queue();
        let (shortest_s, longest_s) = fault.error.back_off_s(fault.receives);
        let wait_s = context.random_between(shortest_s, longest_s);
        Some(async move {
            if let Err(error) = context.queues().wait(queue, &fault.receipt_handle, wait_s).await {
                tracing::warn!(subject = %fault.subject, error = %error, "back-off failed");
            }
        })
    });
    futures::future::join_all(waits).await;
}

/// Works on the items, at most ten at the same time. Returns the results in the order of the items. A panic fails only
/// the item that caused it.
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

    use spillway_store::StoreError;

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
    fn an_item_named_twice_is_worked_on_once() {
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
    fn without_results_every_message_fails() {
        let usd = balance("USD");
        assert_eq!(identifiers(&batch(&[&usd, &usd]).response(&[]).0), ["0", "1"]);
    }

    #[test]
    fn subjects_name_each_item_with_its_outcome() {
        let merchant = spillway_domain::id::MerchantId::derive(&["m"]);
        let delivery = format!(
            r#"{{"pk":"{merchant}#live#{}","sk":"{}"}}"#,
            spillway_domain::id::EventId::derive(&["e"]),
            spillway_domain::id::EndpointId::derive(&["w"])
        );
        let (usd, eur, jpy) = (balance("USD"), balance("EUR"), balance("JPY"));
        let batch = batch(&[&usd, &delivery, "poison", &eur, &usd, &jpy]);
        let outcome = |text: &str| Outcome::new(text).with("pay_1").caused_by("req-0");
        let results = [
            Ok(vec![Outcome::new("one"), outcome("other")]),
            Ok(outcome("204").into()),
            Err(WorkError::Unreadable),
            Ok(Vec::new()),
        ];
        let subjects = serde_json::to_value(batch.subjects(&results)).unwrap();
        let other = serde_json::json!({"id": "test USD", "merchant": merchant, "mode": "test", "outcome": "other",
            "with": ["pay_1"], "request_id": "req-0"});
        let delivered = serde_json::json!({"id": spillway_domain::id::EventId::derive(&["e"]), "merchant": merchant,
            "mode": "live", "outcome": "204", "with": [spillway_domain::id::EndpointId::derive(&["w"]), "pay_1"],
            "request_id": "req-0"});
        let expected = serde_json::json!([
            {"id": "test USD", "merchant": merchant, "mode": "test", "outcome": "one"}, other, delivered,
            {"id": "test EUR", "merchant": merchant, "mode": "test", "outcome": "failed"},
            {"id": "test JPY", "merchant": merchant, "mode": "test"},
            {"id": "2", "outcome": "failed"},
        ]);
        assert_eq!(subjects, expected);
    }

    #[test]
    fn the_response_has_the_format_of_lambda() {
        let answer = serde_json::to_value(BatchResponse::failed(["7".to_owned()])).unwrap();
        assert_eq!(answer, serde_json::json!({"batchItemFailures": [{"itemIdentifier": "7"}]}));
    }

    /// The shortest and the longest time, in seconds, from a message's first receive to the last one before it becomes a
    /// dead letter.
    fn until_dead_s(error: &WorkError) -> (u32, u32) {
        let template = spillway_tests::Template::read();
        let redrives = template.of_type("AWS::SQS::Queue").into_values().map(|queue| &queue["RedrivePolicy"]);
        let receives: Vec<u64> = redrives.filter_map(|policy| policy["maxReceiveCount"].as_u64()).collect();
        assert_eq!((receives.len(), receives.iter().min()), (3, receives.iter().max()), "{receives:?}");
        let waits = (1..u32::try_from(receives[0]).unwrap()).map(|receive| error.back_off_s(receive));
        waits.fold((0, 0), |sum, wait| (sum.0 + wait.0, sum.1 + wait.1))
    }

    #[test]
    fn no_message_dies_within_20_minutes_of_trouble() {
        // 15 waits: 1, 2, 4, … 128 s at least, then 150 s each; at most twice that.
        for error in [
            WorkError::Store(StoreError::Unavailable("ThrottlingException".to_owned())),
            WorkError::Store(StoreError::Refused("AccessDeniedException".to_owned())),
            WorkError::Queue("no answer".to_owned()),
        ] {
            assert_eq!(until_dead_s(&error), (255 + 7 * 150, 510 + 7 * 300), "{error}");
        }
    }

    #[test]
    fn a_message_that_fails_by_itself_dies_within_minutes() {
        // 1, 2, 4, 8 s at least, then 15 s each.
        assert_eq!(until_dead_s(&WorkError::Panicked), (15 + 11 * 15, 30 + 11 * 30));
    }

    #[test]
    fn a_message_that_fails_by_itself_does_not_raise_the_alarm_on_failed_work() {
        let template = spillway_tests::Template::read();
        let alarm = &template.of_type("AWS::CloudWatch::Alarm")["FailedWorkAlarm"];
        let expression = alarm["Metrics"][0]["Expression"].as_str().unwrap();
        let least: usize =
            expression.strip_prefix("IF(failed >= ").unwrap().split(',').next().unwrap().parse().unwrap();
        let minutes = usize::try_from(alarm["DatapointsToAlarm"].as_u64().unwrap()).unwrap();
        // Whenever in a minute it fails first, and with the shortest waits.
        for first in 0..60 {
            let waits = (1..16).map(|receive| WorkError::Panicked.back_off_s(receive).0);
            let failures = std::iter::once(first).chain(waits.scan(first, |at, wait| {
                *at += wait;
                Some(*at)
            }));
            let mut of_minute = [0; 10];
            failures.for_each(|at| of_minute[usize::try_from(at / 60).unwrap()] += 1);
            assert!(of_minute.iter().filter(|failed| **failed >= least).count() < minutes, "{first}: {of_minute:?}");
        }
    }

    #[tokio::test]
    async fn a_panic_fails_only_the_item_that_caused_it() {
        let item = |currency| serde_json::from_str::<WorkItem>(&balance(currency)).unwrap();
        let work = |item: WorkItem| async move {
            assert_ne!(item.to_string(), "test EUR", "this panic is intended");
            Ok(())
        };
        let results = each(vec![item("USD"), item("EUR"), item("JPY")], work).await;
        assert_eq!(results, [Ok(()), Err(WorkError::Panicked), Ok(())]);
    }

    #[tokio::test]
    async fn at_most_ten_items_are_worked_on_at_once() {
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
