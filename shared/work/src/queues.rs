//! Sending messages.

use std::collections::HashMap;

use aws_sdk_sqs::error::ProvideErrorMetadata;
use aws_sdk_sqs::types::{MessageSystemAttributeName, SendMessageBatchRequestEntry};
use aws_sdk_sqs::{Client, config};

use super::batch::{Batch, MessageRecord};
use super::error::WorkError;
use spillway_domain::time::Timestamp;
use spillway_runtime::{SettingError, Start, missing_right};
use spillway_store::{QueueName, WorkItem};

/// The variable that replaces the address of SQS.
const SQS: &str = "AWS_ENDPOINT_URL_SQS";
/// SQS's limit: messages of one call.
const BATCH_MAX: usize = 10;

/// The queues of one deployment.
pub struct Queues {
    client: Client,
    urls: HashMap<QueueName, String>,
}

/// Parts of a function that sends messages, or delays received ones. A function whose invocations take further messages
/// themselves, while their work only waits, has all four methods.
pub trait HasQueues {
    /// The queues.
    fn queues(&self) -> &Queues;

    /// Whether an invocation that ends at `until` has room for further messages at `now`.
    fn has_room(&self, _until: Timestamp, _now: Timestamp) -> bool {
        false
    }

    /// Receives further messages. The batch is empty if no message waits.
    fn take_more(&self) -> impl Future<Output = Result<Batch, WorkError>> {
        std::future::ready(Ok(Batch::default()))
    }

    /// Deletes messages that were taken, by their receipt handles.
    fn delete(&self, _done: &[&str]) -> impl Future<Output = Result<(), WorkError>> {
        std::future::ready(Ok(()))
    }
}

/// A message to be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outgoing {
    /// The item that the message names.
    pub item: WorkItem,
    /// Seconds until the message can be received, at most [`Outgoing::DELAY_S_MAX`].
    pub delay_s: u32,
}

impl Outgoing {
    /// SQS's limit: the longest delay of a message, in seconds. Longer waits use due times.
    pub const DELAY_S_MAX: u32 = 900;
}

impl Queues {
    /// A client for these queues only. Errors if a variable is missing or wrong.
    pub fn new(start: &Start<'_>, names: &[QueueName]) -> Result<Queues, SettingError> {
        let urls = names.iter().map(|name| Ok((*name, start.environment.text(name.variable())?)));
        let client = config::Builder::from(&start.service(SQS)?).interceptor(start.metering());
        Ok(Queues { urls: urls.collect::<Result<_, _>>()?, client: Client::from_conf(client.build()) })
    }

    /// The URL of a queue. Errors if the queue was not given to [`Queues::new`].
    fn url(&self, queue: QueueName) -> Result<&String, WorkError> {
        self.urls.get(&queue).ok_or_else(|| WorkError::Queue(format!("{} is not read", queue.variable())))
    }

    /// Sends messages, grouped by queue, ten in a call. Returns the index and the error of each message that was not
    /// sent.
    pub async fn send(&self, messages: &[Outgoing]) -> Vec<(usize, WorkError)> {
        let mut by_queue: HashMap<QueueName, Vec<usize>> = HashMap::new();
        for (index, message) in messages.iter().enumerate() {
            by_queue.entry(message.item.queue()).or_default().push(index);
        }
        let calls = by_queue.iter().flat_map(|(queue, indices)| {
            indices.chunks(BATCH_MAX).map(|chunk| self.send_batch(*queue, messages, chunk))
        });
        let mut faults: Vec<_> = futures::future::join_all(calls).await.into_iter().flatten().collect();
        faults.sort_by_key(|(index, _)| *index);
        faults
    }

    async fn send_batch(&self, queue: QueueName, messages: &[Outgoing], indices: &[usize]) -> Vec<(usize, WorkError)> {
        let sent = async {
            let entries = indices.iter().map(|index| entry(*index, &messages[*index])).collect::<Result<_, _>>()?;
            let request = self.client.send_message_batch().queue_url(self.url(queue)?).set_entries(Some(entries));
            request.send().await.map_err(|error| refused(&error))
        };
        match sent.await {
            Err(error) => indices.iter().map(|index| (*index, error.clone())).collect(),
            // Only messages that the answer names as successful are sent.
            Ok(answer) => {
                let named = |index: usize, id: &str| id == index.to_string();
                let is_sent = |index: usize| answer.successful().iter().any(|sent| named(index, sent.id()));
                let error = |index: usize| {
                    let failed = answer.failed().iter().find(|failed| named(index, failed.id()));
                    WorkError::Queue(failed.map_or("no result", |failed| failed.code()).to_owned())
                };
                indices.iter().filter(|index| !is_sent(**index)).map(|index| (*index, error(*index))).collect()
            }
        }
    }

    /// Receives up to ten messages that wait in a queue, without waiting for one.
    pub async fn receive(&self, queue: QueueName) -> Result<Batch, WorkError> {
        let count = MessageSystemAttributeName::ApproximateReceiveCount;
        let request = self.client.receive_message().queue_url(self.url(queue)?).max_number_of_messages(10);
        let answer = request.message_system_attribute_names(count.clone()).send().await;
        let messages = answer.map_err(|error| refused(&error))?.messages.unwrap_or_default();
        Ok(Batch::of(messages.into_iter().map(|message| {
            let receives = message.attributes.and_then(|mut attributes| attributes.remove(&count));
            MessageRecord::received(message.message_id, message.receipt_handle, message.body, receives)
        })))
    }

    /// Deletes received messages by their receipt handles. Errors if one was not deleted; it comes again.
    pub async fn delete(&self, queue: QueueName, receipt_handles: &[&str]) -> Result<(), WorkError> {
        let url = self.url(queue)?;
        // One call each: DeleteMessageBatch would make the function's binary larger.
        let delete = |handle: &&str| self.client.delete_message().queue_url(url).receipt_handle(*handle).send();
        let deleted = futures::future::join_all(receipt_handles.iter().map(delete)).await;
        deleted.into_iter().try_for_each(|deleted| deleted.map(drop).map_err(|error| refused(&error)))
    }

    /// Sets the seconds until a received message can be received again.
    pub(super) async fn wait(&self, queue: QueueName, receipt_handle: &str, wait_s: u32) -> Result<(), WorkError> {
        let url = self.url(queue)?;
        let wait_s = i32::try_from(wait_s).unwrap_or(i32::MAX);
        let request = self.client.change_message_visibility().queue_url(url).receipt_handle(receipt_handle);
        let result = request.visibility_timeout(wait_s).send().await;
        result.map(|_| ()).map_err(|error| refused(&error))
    }
}

fn refused(error: &impl ProvideErrorMetadata) -> WorkError {
    let code = || error.code().unwrap_or("no answer").to_owned();
    WorkError::Queue(missing_right(error).unwrap_or_else(code))
}

/// Returns the entry of a message. Messages are grouped by merchant, so that one merchant's backlog does not delay
/// others (fair queues).
fn entry(index: usize, message: &Outgoing) -> Result<SendMessageBatchRequestEntry, WorkError> {
    let body = serde_json::to_string(&message.item).map_err(|error| WorkError::Queue(error.to_string()))?;
    SendMessageBatchRequestEntry::builder()
        .id(index.to_string())
        .message_body(body)
        .message_group_id(message.item.tenant().merchant.as_str())
        .delay_seconds(i32::try_from(message.delay_s.min(Outgoing::DELAY_S_MAX)).unwrap_or_default())
        .build()
        .map_err(|error| WorkError::Queue(error.to_string()))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use aws_smithy_async::rt::sleep::{SharedAsyncSleep, TokioSleep};
    use aws_smithy_runtime_api::client::http::{
        HttpConnector, HttpConnectorFuture, SharedHttpConnector, http_client_fn,
    };
    use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
    use aws_smithy_runtime_api::http::StatusCode;
    use aws_smithy_types::body::SdkBody;
    use spillway_domain::time::Timestamp;

    use super::*;
    use aws_sdk_sqs::config::{Credentials, Region, SharedCredentialsProvider};
    use spillway_runtime::settings::Environment;
    use spillway_runtime::{Context, Effects, Parts, config_with};
    use spillway_store::TableKey;

    struct FoldsQueue(Queues);

    impl Parts for FoldsQueue {
        fn new(start: &Start<'_>) -> Result<FoldsQueue, SettingError> {
            Queues::new(start, &[QueueName::Folds]).map(FoldsQueue)
        }
    }

    impl HasQueues for FoldsQueue {
        fn queues(&self) -> &Queues {
            &self.0
        }
    }

    /// Answers every call with this body.
    #[derive(Debug, Clone)]
    struct Answers(&'static str);

    impl HttpConnector for Answers {
        fn call(&self, _: HttpRequest) -> HttpConnectorFuture {
            let status = StatusCode::try_from(200).unwrap();
            HttpConnectorFuture::ready(Ok(HttpResponse::new(status, SdkBody::from(self.0))))
        }
    }

    #[tokio::test]
    async fn a_message_is_sent_only_if_the_answer_names_it() {
        // The second message failed, and the answer does not name the third.
        let body = r#"{"Successful": [{"Id": "0", "MessageId": "m", "MD5OfMessageBody": ""}],
            "Failed": [{"Id": "1", "Code": "InternalError", "SenderFault": false}]}"#;
        let connector = SharedHttpConnector::new(Answers(body));
        let environment = |name: &str| {
            let value = match name {
                "AWS_ENDPOINT_URL_SQS" => "https://sqs.test",
                "FOLDS_QUEUE_URL" => "https://sqs.test/folds",
                "STORE_DEADLINE_MS" => "3000",
                "STACK_NAME" => "acme",
                "LOG_LEVEL" => "info",
                _ => return None,
            };
            Some(value.to_owned())
        };
        let effects = Effects {
            now: Arc::new(|| Timestamp::from_millis(0)),
            random: Arc::new(|bytes| bytes.fill(7)),
            sleep: SharedAsyncSleep::new(TokioSleep::new()),
            http_client: http_client_fn(move |_, _| connector.clone()),
        };
        let credentials = SharedCredentialsProvider::new(Credentials::new("key", "secret", None, None, "tests"));
        let aws = config_with(Some(Region::from_static("eu-central-1")), credentials, &effects);
        let context: Context<FoldsQueue> = Context::new(Environment::new(&environment), effects, &aws).unwrap();
        let message = |currency: &str| {
            let key =
                TableKey { pk: "mer_00000000000000000000000000#test#balances".to_owned(), sk: currency.to_owned() };
            Outgoing { item: WorkItem::of(&key).unwrap(), delay_s: 0 }
        };
        let unsent = context.queues().send(&["USD", "EUR", "JPY"].map(message)).await;
        let errors: Vec<(usize, String)> = unsent.iter().map(|(index, error)| (*index, error.to_string())).collect();
        assert_eq!(errors.len(), 2, "{errors:?}");
        assert!(errors[0].0 == 1 && errors[0].1.contains("InternalError"), "{errors:?}");
        assert!(errors[1].0 == 2 && errors[1].1.contains("no result"), "{errors:?}");
    }
}
