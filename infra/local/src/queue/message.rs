//! A message, and what SQS adds to it.

use std::collections::BTreeMap;

use crate::arn::ACCOUNT;

/// A message to be sent.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct NewMessage {
    /// What it says.
    pub body: String,
    /// The tenant that it belongs to: groups take turns.
    pub group: Option<String>,
    /// How long it is held back, in seconds; `None`: as long as the queue says.
    pub delay_s: Option<i64>,
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
    /// The tenant that it belongs to.
    pub group: Option<String>,
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
    fn the_digest_is_that_of_sqs() {
        assert_eq!(body_md5("hello"), "5d41402abc4b2a76b9719d911017c592");
    }
}
