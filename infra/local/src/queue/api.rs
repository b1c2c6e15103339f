//! The SQS actions on one message or one queue, in the wire format.

use std::time::Duration;

use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::checks;
use super::errors::{ApiError, Kind};
use super::message::{Message, NewMessage, body_md5};
use super::queues::{Queue, Queues, Receive};
use super::receipt::Receipt;
use super::store::NotHidden;
use crate::arn::ACCOUNT;

/// The SQS API over the queues.
#[derive(Clone)]
pub(super) struct Api {
    pub queues: Queues,
    /// Scheme, address and port of every queue URL.
    pub base_url: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct SendMessage {
    queue_url: String,
    #[serde(flatten)]
    content: Content,
}

/// A message to send, alone or in a batch.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Content {
    #[serde(default)]
    message_body: String,
    delay_seconds: Option<i64>,
    #[serde(default)]
    message_attributes: Map<String, Value>,
    #[serde(default)]
    message_system_attributes: Map<String, Value>,
    message_group_id: Option<String>,
    message_deduplication_id: Option<String>,
}

impl Content {
    /// The message, checked.
    pub fn message(&self) -> Result<NewMessage, ApiError> {
        if self.message_deduplication_id.is_some() {
            return Err(ApiError::invalid(
                "The request include parameter MessageDeduplicationId which is not valid for this queue type.",
            ));
        }
        if !self.message_attributes.is_empty() || !self.message_system_attributes.is_empty() {
            return Err(ApiError::invalid(
                "Message attributes are not kept here: no function of the template sends any.",
            ));
        }
        let message = NewMessage {
            body: self.message_body.clone(),
            group: self.message_group_id.clone(),
            delay_s: self.delay_seconds,
        };
        checks::message(&message)?;
        Ok(message)
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ReceiveMessage {
    queue_url: String,
    max_number_of_messages: Option<i64>,
    visibility_timeout: Option<i64>,
    wait_time_seconds: Option<i64>,
    /// The older name of `MessageSystemAttributeNames`.
    #[serde(default)]
    attribute_names: Vec<String>,
    #[serde(default)]
    message_system_attribute_names: Vec<String>,
}

/// One receipt, alone or in a batch.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ByReceipt {
    #[serde(default)]
    pub queue_url: String,
    #[serde(default)]
    pub receipt_handle: String,
    pub visibility_timeout: Option<i64>,
}

impl Api {
    pub fn send_message(&self, request: SendMessage) -> Result<Value, ApiError> {
        let queue = self.named(&request.queue_url)?;
        let message = request.content.message()?;
        let ids = self.queues.send(&queue.settings.name, std::slice::from_ref(&message))?;
        let id = ids.into_iter().next().unwrap_or_default();
        Ok(sent(&id, &message))
    }

    pub async fn receive_message(&self, request: ReceiveMessage) -> Result<Value, ApiError> {
        let queue = self.named(&request.queue_url)?;
        let visibility = request.visibility_timeout.map(checks::visibility);
        let wait = request.wait_time_seconds.map(checks::wait).transpose()?;
        let ask = Receive {
            limit: checks::limit(request.max_number_of_messages.unwrap_or(1))?,
            visibility: visibility.transpose()?.map(Duration::from_secs),
            wait: wait.map_or(queue.settings.receive_wait, Duration::from_secs),
        };
        let messages = self.queues.receive(&queue.settings.name, ask).await?;
        if messages.is_empty() {
            return Ok(json!({}));
        }
        let messages: Vec<Value> = messages.iter().map(|message| request.render(message)).collect();
        Ok(json!({ "Messages": messages }))
    }

    pub fn delete_message(&self, request: &ByReceipt) -> Result<Value, ApiError> {
        let queue = self.named(&request.queue_url)?;
        self.delete(queue, request)?;
        Ok(json!({}))
    }

    pub fn change_message_visibility(&self, request: &ByReceipt) -> Result<Value, ApiError> {
        let queue = self.named(&request.queue_url)?;
        self.hide(queue, request)?;
        Ok(json!({}))
    }

    /// Deletes the message of the request's receipt.
    pub fn delete(&self, queue: &Queue, request: &ByReceipt) -> Result<(), ApiError> {
        let name = &queue.settings.name;
        request.receipt(name)?;
        Ok(self.queues.delete(name, &[&request.receipt_handle])?)
    }

    /// Hides the message of the request's receipt for the requested time.
    pub fn hide(&self, queue: &Queue, request: &ByReceipt) -> Result<(), ApiError> {
        let receipt = request.receipt(&queue.settings.name)?;
        let seconds = request.visibility_timeout.ok_or_else(|| ApiError::missing("VisibilityTimeout"))?;
        let visibility = Duration::from_secs(checks::visibility(seconds)?);
        match self.queues.hide(queue, receipt, visibility)? {
            Ok(()) => Ok(()),
            Err(NotHidden::NotInFlight) => {
                Err(ApiError::new(Kind::MessageNotInflight, "The specified message isn't in flight."))
            }
            Err(NotHidden::Gone) => Err(ApiError::invalid(format!(
                "Value {} for parameter ReceiptHandle is invalid. Reason: Message does not exist or \
                 is not available for visibility timeout change.",
                request.receipt_handle
            ))),
        }
    }

    /// The queue of a URL. The URL's host does not matter.
    pub fn named(&self, url: &str) -> Result<&Queue, ApiError> {
        let name = url.rsplit('/').next().unwrap_or_default();
        Ok(self.queues.queue(name)?)
    }

    pub fn url(&self, name: &str) -> String {
        format!("{}/{ACCOUNT}/{name}", self.base_url)
    }
}

impl ByReceipt {
    fn receipt(&self, queue: &str) -> Result<Receipt, ApiError> {
        if self.receipt_handle.is_empty() {
            return Err(ApiError::missing("ReceiptHandle"));
        }
        Receipt::parse(&self.receipt_handle, queue).ok_or_else(|| {
            let message =
                format!("The input receipt handle \"{}\" is not a valid receipt handle.", self.receipt_handle);
            ApiError::new(Kind::ReceiptHandleIsInvalid, message)
        })
    }
}

impl ReceiveMessage {
    fn render(&self, message: &Message) -> Value {
        let mut value = json!({
            "MessageId": message.message_id,
            "ReceiptHandle": message.receipt_handle,
            "MD5OfBody": body_md5(&message.body),
            "Body": message.body,
        });
        let system: Map<String, Value> = message
            .system_attributes()
            .into_iter()
            .filter(|(name, _)| {
                let mut asked = self.message_system_attribute_names.iter().chain(&self.attribute_names);
                asked.any(|asked| asked == "All" || asked == name)
            })
            .map(|(name, text)| (name.to_owned(), text.into()))
            .collect();
        if !system.is_empty() {
            value["Attributes"] = system.into();
        }
        value
    }
}

/// The sender's answer.
pub(super) fn sent(id: &str, message: &NewMessage) -> Value {
    json!({"MessageId": id, "MD5OfMessageBody": body_md5(&message.body)})
}
