//! A message and the attributes that SQS adds to it.

use std::collections::BTreeMap;

use crate::arn::ACCOUNT;

/// A message to be sent.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct NewMessage {
    /// The body.
    pub body: String,
    /// The message group. Groups take turns.
    pub group: Option<String>,
    /// The delay in seconds. `None`: the queue's own.
    pub delay_s: Option<i64>,
}

/// A received message.
#[derive(Clone, Debug, PartialEq)]
pub struct Message {
    /// The message's id, the same for every copy.
    pub message_id: String,
    /// The handle that deletes the message.
    pub receipt_handle: String,
    /// The body.
    pub body: String,
    /// The message group.
    pub group: Option<String>,
    /// In a dead-letter queue, the ARN of the queue that it came from.
    pub dead_letter_source: Option<String>,
    /// When it was sent, in ms since 1970.
    pub sent_at: i64,
    /// When it was first received, in ms since 1970.
    pub first_received_at: i64,
    /// How often it was received, including this time.
    pub receive_count: i64,
}

impl Message {
    /// The attributes that SQS itself adds, by their names.
    pub(super) fn system_attributes(&self) -> BTreeMap<&'static str, String> {
        let mut all = BTreeMap::from([
            ("ApproximateReceiveCount", self.receive_count.to_string()),
            ("ApproximateFirstReceiveTimestamp", self.first_received_at.to_string()),
            ("SentTimestamp", self.sent_at.to_string()),
            ("SenderId", ACCOUNT.to_owned()),
        ]);
        let optional = [("MessageGroupId", &self.group), ("DeadLetterQueueSourceArn", &self.dead_letter_source)];
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

#[cfg(test)]
mod tests {
    use super::body_md5;

    #[test]
    fn the_digest_is_hexadecimal_md5() {
        assert_eq!(body_md5("hello"), "5d41402abc4b2a76b9719d911017c592");
    }
}
