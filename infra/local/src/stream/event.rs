//! The documents that Lambda sends for stream records: the function's event, and the message about records that were
//! given up.

use serde_json::{Map, Value, json};

use super::batch::GivenUp;
use super::changes::{Change, Changes};
use crate::arn;
use crate::clock::rfc3339;

/// The fields that all records of the stream share.
pub(super) struct Source {
    stream_arn: String,
    shard: String,
    region: String,
    view: String,
}

impl Source {
    /// The stream that `changes` reads.
    pub fn new(changes: &Changes, region: &str) -> Result<Self, rusqlite::Error> {
        let table = changes.table();
        let (label, view) = changes.label_and_view()?;
        Ok(Self {
            stream_arn: arn::stream(region, table, &label),
            shard: format!("shardId-00000001-{table}"),
            region: region.to_owned(),
            view,
        })
    }

    /// The function's event.
    pub fn event(&self, records: &[Change]) -> String {
        let records: Vec<Value> = records.iter().map(|record| self.record(record)).collect();
        json!({ "Records": records }).to_string()
    }

    fn record(&self, change: &Change) -> Value {
        let mut record = outline(change);
        for (name, image) in [("NewImage", &change.new_image), ("OldImage", &change.old_image)] {
            if let Some(image) = image {
                record["dynamodb"][name] = parse(image);
            }
        }
        record["eventSourceARN"] = self.stream_arn.as_str().into();
        record["awsRegion"] = self.region.as_str().into();
        record["dynamodb"]["StreamViewType"] = self.view.as_str().into();
        record
    }

    /// The message to the failure queue: the position of the records, without their content.
    pub fn pointer(&self, given_up: &GivenUp, function: &str, now: i64) -> String {
        let (first, last) = (given_up.records.first(), given_up.records.last());
        let sequence = |record: Option<&Change>| record.map(Change::public_sequence);
        let arrival = |record: Option<&Change>| record.map(|r| rfc3339(r.created_at * 1000));
        json!({
            "requestContext": {
                "requestId": uuid::Uuid::new_v4().to_string(),
                "functionArn": arn::function(&self.region, function),
                "condition": given_up.condition,
                "approximateInvokeCount": given_up.tries,
            },
            "responseContext": {
                "statusCode": 200,
                "executedVersion": "$LATEST",
                "functionError": "Unhandled",
            },
            "version": "1.0",
            "timestamp": rfc3339(now),
            "DDBStreamBatchInfo": {
                "shardId": self.shard,
                "startSequenceNumber": sequence(first),
                "endSequenceNumber": sequence(last),
                "approximateArrivalOfFirstRecord": arrival(first),
                "approximateArrivalOfLastRecord": arrival(last),
                "batchSize": given_up.records.len(),
                "streamArn": self.stream_arn,
            },
        })
        .to_string()
    }
}

/// The record without its images.
fn outline(change: &Change) -> Value {
    let mut dynamodb = Map::new();
    let mut size = change.keys.len();
    dynamodb.insert("Keys".into(), parse(&change.keys));
    for image in [&change.new_image, &change.old_image].into_iter().flatten() {
        size += image.len();
    }
    dynamodb.insert("SequenceNumber".into(), change.public_sequence().into());
    dynamodb.insert("SizeBytes".into(), size.into());
    let created_at = change.created_at;
    dynamodb.insert("ApproximateCreationDateTime".into(), created_at.into());
    let mut record = json!({
        "eventID": change.event_id,
        "eventName": change.event_name,
        "eventVersion": "1.1",
        "eventSource": "aws:dynamodb",
        "dynamodb": dynamodb,
    });
    if let Some(identity) = &change.user_identity {
        record["userIdentity"] = parse(identity);
    }
    record
}

fn parse(json: &str) -> Value {
    serde_json::from_str(json).unwrap_or_default()
}
