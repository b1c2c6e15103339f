//! The SQS actions on batches and queues, in the wire format.

use serde::Deserialize;
use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::api::{Api, ByReceipt, Content, sent};
use super::batch::{Batch, BatchAnswer};
use super::checks::BYTES_MAX;
use super::errors::{ApiError, Kind};
use super::queues::Queue;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ListQueues {
    #[serde(default)]
    queue_name_prefix: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct GetQueueAttributes {
    queue_url: String,
    #[serde(default)]
    attribute_names: Vec<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct MoveTask {
    source_arn: String,
    destination_arn: Option<String>,
}

impl Api {
    pub fn send_message_batch(&self, request: &Batch<Content>) -> Result<Value, ApiError> {
        let queue = self.named(&request.queue_url)?;
        request.check()?;
        let mut answer = BatchAnswer::default();
        let mut good = Vec::new();
        for entry in &request.entries {
            match entry.content.message() {
                Ok(message) => good.push((&entry.id, message)),
                Err(refusal) => answer.failed.push(refusal.entry(&entry.id)),
            }
        }
        let (entry_ids, messages): (Vec<_>, Vec<_>) = good.into_iter().unzip();
        let bytes: usize = messages.iter().map(|message| message.body.len()).sum();
        if bytes > BYTES_MAX {
            let message =
                format!("Batch requests cannot be longer than {BYTES_MAX} bytes. You have sent {bytes} bytes.");
            return Err(ApiError::new(Kind::BatchRequestTooLong, message));
        }
        let ids = self.queues.send(&queue.settings.name, &messages)?;
        for ((entry_id, message), id) in entry_ids.iter().zip(&messages).zip(&ids) {
            let mut value = sent(id, message);
            value["Id"] = entry_id.as_str().into();
            answer.successful.push(value);
        }
        Ok(json!(answer))
    }

    pub fn delete_message_batch(&self, request: &Batch<ByReceipt>) -> Result<Value, ApiError> {
        let queue = self.named(&request.queue_url)?;
        request.check()?;
        let mut answer = BatchAnswer::default();
        for entry in &request.entries {
            match self.delete(queue, &entry.content) {
                Ok(()) => answer.successful.push(json!({"Id": entry.id})),
                Err(refusal) => answer.failed.push(refusal.entry(&entry.id)),
            }
        }
        Ok(json!(answer))
    }

    pub fn list_queues(&self, request: &ListQueues) -> Value {
        let names = self
            .queues
            .all()
            .iter()
            .map(|queue| &queue.settings.name)
            .filter(|name| name.starts_with(&request.queue_name_prefix));
        json!({"QueueUrls": names.map(|name| self.url(name)).collect::<Vec<_>>()})
    }

    pub fn get_queue_attributes(&self, request: &GetQueueAttributes) -> Result<Value, ApiError> {
        let queue = self.named(&request.queue_url)?;
        let known = self.attributes(queue)?;
        let mut asked = Map::new();
        for name in &request.attribute_names {
            if name == "All" {
                return Ok(json!({ "Attributes": known }));
            }
            if let Some(value) = known.get(name) {
                asked.insert(name.clone(), value.clone());
            } else if !OFTEN_UNSET.contains(&name.as_str()) {
                let message = format!("Unknown Attribute {name}.");
                return Err(ApiError::new(Kind::InvalidAttributeName, message));
            }
        }
        if asked.is_empty() {
            return Ok(json!({}));
        }
        Ok(json!({ "Attributes": asked }))
    }

    fn attributes(&self, queue: &Queue) -> Result<Map<String, Value>, ApiError> {
        let settings = &queue.settings;
        let counts = self.queues.counts(&settings.name)?;
        let seconds = |duration: std::time::Duration| duration.as_secs().to_string();
        let mut all = vec![
            ("QueueArn", queue.arn.clone()),
            ("ApproximateNumberOfMessages", counts.visible.to_string()),
            ("ApproximateNumberOfMessagesNotVisible", counts.in_flight.to_string()),
            ("ApproximateNumberOfMessagesDelayed", counts.delayed.to_string()),
            ("VisibilityTimeout", seconds(settings.visibility)),
            ("DelaySeconds", seconds(settings.delay)),
            ("MessageRetentionPeriod", seconds(settings.retention)),
            ("ReceiveMessageWaitTimeSeconds", seconds(settings.receive_wait)),
            ("MaximumMessageSize", BYTES_MAX.to_string()),
        ];
        if let Some((dead_letters, receives_max)) = &queue.redrive {
            let policy = json!({
                "deadLetterTargetArn": self.queues.arn(dead_letters),
                "maxReceiveCount": receives_max,
            });
            all.push(("RedrivePolicy", policy.to_string()));
        }
        let all = all.into_iter();
        Ok(all.map(|(name, value)| (name.into(), value.into())).collect())
    }

    pub fn start_message_move_task(&self, request: &MoveTask) -> Result<Value, ApiError> {
        let destination = request.destination_arn.as_deref();
        self.queues.move_messages(&request.source_arn, destination)?;
        Ok(json!({"TaskHandle": Uuid::new_v4().to_string()}))
    }
}

/// Attributes of SQS that these queues do not have.
const OFTEN_UNSET: [&str; 7] = [
    "RedrivePolicy",
    "RedriveAllowPolicy",
    "Policy",
    "KmsMasterKeyId",
    "SqsManagedSseEnabled",
    "CreatedTimestamp",
    "LastModifiedTimestamp",
];
