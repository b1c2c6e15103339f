//! What Lambda hands to consumers, for tests that call one directly.

use serde_json::{Value, json};

use crate::client::unique;

/// A batch from a queue with these message bodies; the message ids are `m0`, `m1`, …
pub fn sqs(bodies: &[Value]) -> Value {
    let record = |(number, body): (usize, &Value)| {
        json!({"messageId": format!("m{number}"), "receiptHandle": format!("r{number}"), "body": body.to_string(),
            "attributes": {"ApproximateReceiveCount": "1", "SentTimestamp": "1769860800000",
                "SenderId": "test", "ApproximateFirstReceiveTimestamp": "1769860800000"},
            "messageAttributes": {}, "md5OfBody": "", "eventSource": "aws:sqs",
            "eventSourceARN": "arn:aws:sqs:us-east-1:000000000000:test", "awsRegion": "us-east-1"})
    };
    json!({"Records": bodies.iter().enumerate().map(record).collect::<Vec<Value>>()})
}

/// The message that names a payment.
pub fn payment_message(merchant: &str, id: &str) -> Value {
    json!({"thing": "payment", "tenant": format!("{merchant}#test"), "id": id})
}

/// The message that names a balance.
pub fn balance_message(merchant: &str, currency: &str) -> Value {
    json!({"thing": "balance", "tenant": format!("{merchant}#test"), "currency": currency})
}

/// The message that names an event.
pub fn event_message(merchant: &str, id: &str) -> Value {
    json!({"thing": "event", "tenant": format!("{merchant}#test"), "id": id})
}

/// What the schedule sends.
pub fn tick() -> Value {
    json!({"version": "0", "id": unique(), "detail-type": "Scheduled Event", "source": "aws.scheduler",
        "time": "2026-01-31T12:00:00Z", "region": "us-east-1", "resources": [], "detail": {}})
}

/// A batch of the table's stream with one insertion for each (pk, sk); the sequence numbers are 1, 2, …
pub fn stream(inserted: &[(String, String)]) -> Value {
    let record = |(number, (pk, sk)): (usize, &(String, String))| {
        let keys = json!({"pk": {"S": pk}, "sk": {"S": sk}});
        json!({"eventID": format!("e{number}"), "eventName": "INSERT", "eventVersion": "1.1",
            "eventSource": "aws:dynamodb", "awsRegion": "us-east-1",
            "eventSourceARN": "arn:aws:dynamodb:us-east-1:000000000000:table/test/stream/2026-01-01T00:00:00.000",
            "dynamodb": {"ApproximateCreationDateTime": 1769860800, "Keys": keys, "NewImage": keys,
                "SequenceNumber": (number + 1).to_string(), "SizeBytes": 100, "StreamViewType": "NEW_AND_OLD_IMAGES"}})
    };
    json!({"Records": inserted.iter().enumerate().map(record).collect::<Vec<Value>>()})
}
