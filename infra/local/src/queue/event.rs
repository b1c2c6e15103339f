//! The event that Lambda makes of received messages.

use serde_json::{Map, Value, json};

use super::message::{Attributes, Message, attributes_md5, body_md5};

/// The event of one invocation, as Lambda sends it.
pub(super) fn event(messages: &[Message], queue_arn: &str, region: &str) -> Value {
    let records: Vec<Value> = messages.iter().map(|message| record(message, queue_arn, region)).collect();
    json!({ "Records": records })
}

fn record(message: &Message, queue_arn: &str, region: &str) -> Value {
    let mut record = json!({
        "messageId": message.message_id,
        "receiptHandle": message.receipt_handle,
        "body": message.body,
        "attributes": message.system_attributes(),
        "messageAttributes": attributes(&message.attributes),
        "md5OfBody": body_md5(&message.body),
        "eventSource": "aws:sqs",
        "eventSourceARN": queue_arn,
        "awsRegion": region,
    });
    if let Some(digest) = attributes_md5(&message.attributes) {
        record["md5OfMessageAttributes"] = digest.into();
    }
    record
}

fn attributes(attributes: &Attributes) -> Map<String, Value> {
    attributes
        .iter()
        .map(|(name, attribute)| {
            let mut value = json!({
                "dataType": attribute.data_type,
                "stringListValues": [],
                "binaryListValues": [],
            });
            if let Some(text) = &attribute.string_value {
                value["stringValue"] = text.as_str().into();
            }
            if let Some(binary) = &attribute.binary_value {
                value["binaryValue"] = binary.as_str().into();
            }
            (name.clone(), value)
        })
        .collect()
}
