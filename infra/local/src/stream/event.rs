//! The documents that Lambda makes of stream records: the function's event, and the pointer to
//! records that were given up.

use serde_json::{Map, Value, json};
use time::OffsetDateTime;

use super::batch::GivenUp;
use super::changes::{Change, Changes};
use crate::template::ACCOUNT;

/// What every record of the stream says alike.
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
            stream_arn: format!("arn:aws:dynamodb:{region}:{ACCOUNT}:table/{table}/stream/{label}"),
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
        let mut record = outline(change, true);
        record["eventSourceARN"] = self.stream_arn.as_str().into();
        record["awsRegion"] = self.region.as_str().into();
        record["dynamodb"]["StreamViewType"] = self.view.as_str().into();
        record
    }

    /// What the failure queue learns: where the records are, not what they say.
    pub fn pointer(&self, given_up: &GivenUp, function: &str, now: i64) -> String {
        let (first, last) = (given_up.records.first(), given_up.records.last());
        let sequence = |record: Option<&Change>| record.map(Change::public_sequence);
        let arrival = |record: Option<&Change>| record.map(|r| rfc3339(r.created_at * 1000));
        json!({
            "requestContext": {
                "requestId": uuid::Uuid::new_v4().to_string(),
                "functionArn": format!("arn:aws:lambda:{}:{ACCOUNT}:function:{function}", self.region),
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

/// The record as filters see it, with the images or without.
pub(super) fn outline(change: &Change, images: bool) -> Value {
    let mut dynamodb = Map::new();
    let mut size = change.keys.len();
    dynamodb.insert("Keys".into(), parse(&change.keys));
    for (name, image) in [("NewImage", &change.new_image), ("OldImage", &change.old_image)] {
        let Some(image) = image else { continue };
        size += image.len();
        if images {
            dynamodb.insert(name.into(), parse(image));
        }
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

/// A time in milliseconds since 1970, as RFC 3339 in UTC.
fn rfc3339(ms: i64) -> String {
    let Ok(time) = OffsetDateTime::from_unix_timestamp_nanos(i128::from(ms) * 1_000_000) else {
        return String::new();
    };
    let (year, month, day) = (time.year(), u8::from(time.month()), time.day());
    let (hour, minute, second, ms) = time.time().as_hms_milli();
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{ms:03}Z")
}
