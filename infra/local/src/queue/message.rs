//! A message, its attributes, and the digests that SQS gives of both.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};

/// The attributes that a sender adds to a message, by name.
pub type Attributes = BTreeMap<String, Attribute>;

/// One attribute, as it is on the wire.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct Attribute {
    /// `String`, `Number` or `Binary`, perhaps with a label: `Number.int`.
    pub data_type: String,
    /// The value of a string or a number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub string_value: Option<String>,
    /// The value of a binary, in base64.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub binary_value: Option<String>,
}

impl Attribute {
    /// The value's bytes; `None`: it has none, or not those of its type.
    pub(super) fn value(&self) -> Option<Vec<u8>> {
        if self.is_binary() {
            STANDARD.decode(self.binary_value.as_deref()?).ok()
        } else {
            self.string_value.clone().map(String::into_bytes).filter(|value| !value.is_empty())
        }
    }

    /// Whether SQS knows the type.
    pub(super) fn known_type(&self) -> bool {
        let kind = self.data_type.split('.').next().unwrap_or_default();
        matches!(kind, "String" | "Number" | "Binary") && self.data_type.len() <= 256
    }

    fn is_binary(&self) -> bool {
        self.data_type.starts_with("Binary")
    }
}

/// A message to be sent.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct NewMessage {
    /// What it says.
    pub body: String,
    /// What the sender adds.
    pub attributes: Attributes,
    /// The tenant that it belongs to: groups take turns.
    pub group: Option<String>,
    /// The trace header that came with it.
    pub trace: Option<String>,
    /// How long it is held back, in seconds; `None`: as long as the queue says.
    pub delay_s: Option<i64>,
}

impl NewMessage {
    /// Its size as SQS counts it, in bytes.
    pub(super) fn size(&self) -> usize {
        let attributes = self.attributes.iter().map(|(name, attribute)| {
            let value = attribute.value().map_or(0, |value| value.len());
            name.len() + attribute.data_type.len() + value
        });
        self.body.len() + attributes.sum::<usize>()
    }
}

/// A received message.
#[derive(Clone, Debug, PartialEq)]
pub struct Message {
    /// The same for every copy of it.
    pub message_id: String,
    /// What deletes this receipt of it.
    pub receipt_handle: String,
    /// What it says.
    pub body: String,
    /// What the sender added.
    pub attributes: Attributes,
    /// The tenant that it belongs to.
    pub group: Option<String>,
    /// The trace header that came with it.
    pub trace: Option<String>,
    /// ARN of the queue that gave it up, in a dead-letter queue.
    pub dead_letter_source: Option<String>,
    /// When it was sent, in ms since 1970.
    pub sent_at: i64,
    /// When it was first received, in ms since 1970.
    pub first_received_at: i64,
    /// How often it was received, this time included.
    pub receive_count: i64,
}

impl Message {
    /// The attributes that SQS itself adds, by their names.
    pub(super) fn system_attributes(&self) -> BTreeMap<&'static str, String> {
        let mut all = BTreeMap::from([
            ("ApproximateReceiveCount", self.receive_count.to_string()),
            ("ApproximateFirstReceiveTimestamp", self.first_received_at.to_string()),
            ("SentTimestamp", self.sent_at.to_string()),
            ("SenderId", super::ACCOUNT.to_owned()),
        ]);
        let optional = [
            ("MessageGroupId", &self.group),
            ("AWSTraceHeader", &self.trace),
            ("DeadLetterQueueSourceArn", &self.dead_letter_source),
        ];
        for (name, value) in optional {
            if let Some(value) = value {
                all.insert(name, value.clone());
            }
        }
        all
    }
}

/// The digest of a body, in hexadecimal.
pub(super) fn body_md5(body: &str) -> String {
    format!("{:x}", md5::compute(body))
}

/// The digest of the attributes, in hexadecimal; `None`: there are none.
///
/// Source of the rule: SQS Developer Guide, "Calculating the MD5 message digest for message
/// attributes".
pub(super) fn attributes_md5(attributes: &Attributes) -> Option<String> {
    if attributes.is_empty() {
        return None;
    }
    let mut bytes = Vec::new();
    // The map is sorted by name, as the rule wants it.
    for (name, attribute) in attributes {
        add(&mut bytes, name.as_bytes());
        add(&mut bytes, attribute.data_type.as_bytes());
        bytes.push(if attribute.is_binary() { 2 } else { 1 });
        add(&mut bytes, &attribute.value().unwrap_or_default());
    }
    Some(format!("{:x}", md5::compute(bytes)))
}

/// A part with its length before it.
fn add(bytes: &mut Vec<u8>, part: &[u8]) {
    let length = u32::try_from(part.len()).unwrap_or(u32::MAX);
    bytes.extend_from_slice(&length.to_be_bytes());
    bytes.extend_from_slice(part);
}

#[cfg(test)]
mod tests {
    use super::*;

    // The values are those of Python's hashlib over the same bytes.
    #[test]
    fn digests_are_those_of_sqs() {
        assert_eq!(body_md5("hello"), "5d41402abc4b2a76b9719d911017c592");
        assert_eq!(attributes_md5(&Attributes::new()), None);
        let text = |value: &str| Attribute {
            data_type: "String".into(),
            string_value: Some(value.into()),
            binary_value: None,
        };
        let binary = Attribute { data_type: "Binary".into(), string_value: None, binary_value: Some("AAEC".into()) };
        let attributes = Attributes::from([("b".to_owned(), binary), ("a".to_owned(), text("one"))]);
        assert_eq!(attributes_md5(&attributes).as_deref(), Some("3abe18576002fe648df6916c5effc3be"));
    }
}
