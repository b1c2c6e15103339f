//! Events that Lambda hands to consumers, for tests that invoke them directly.

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

/// The message about a payment.
pub fn payment_message(merchant: &str, id: &str) -> Value {
    message("payment", &format!("{merchant}#test#{id}"), "payment")
}

/// The message about a refund.
pub fn refund_message(merchant: &str, id: &str) -> Value {
    message("refund", &format!("{merchant}#test#{id}"), "refund")
}

/// The message about the first part of a balance.
pub fn balance_message(merchant: &str, currency: &str) -> Value {
    message("balance", &format!("{merchant}#test#balances"), currency)
}

/// The message about another part of a balance.
pub fn balance_part_message(merchant: &str, currency: &str, part: usize) -> Value {
    message("balance", &format!("{merchant}#test#balances#{part}"), currency)
}

/// The message about an event.
pub fn event_message(merchant: &str, id: &str) -> Value {
    message("event", &format!("{merchant}#test#events#{}", shard(id)), id)
}

/// The message about the delivery of an event to an endpoint.
pub fn delivery_message(merchant: &str, event: &str, endpoint: &str) -> Value {
    message("delivery", &format!("{merchant}#test#{event}"), endpoint)
}

/// The message about a webhook endpoint.
pub fn endpoint_message(merchant: &str, endpoint: &str) -> Value {
    message("webhook_endpoint", &format!("{merchant}#test#webhooks"), endpoint)
}

fn message(kind: &str, pk: &str, sk: &str) -> Value {
    json!({"kind": kind, "pk": pk, "sk": sk})
}

/// The shard in the id of an event or journal entry: the two digits after the ten of its time.
pub fn shard(id: &str) -> usize {
    let digits = id.split_once('_').map_or("", |(_, tail)| &tail[10..12]);
    digits
        .chars()
        .filter_map(|digit| "0123456789abcdefghjkmnpqrstvwxyz".find(digit))
        .fold(0, |shard, digit| shard * 32 + digit)
}

/// The event of the schedule.
pub fn tick() -> Value {
    json!({"version": "0", "id": unique(), "detail-type": "Scheduled Event", "source": "aws.scheduler",
        "time": "2026-01-31T12:00:00Z", "region": "us-east-1", "resources": [], "detail": {}})
}

/// A batch of the table's stream with an INSERT of each (pk, sk); the sequence numbers are 1, 2, …
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
