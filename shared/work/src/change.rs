//! Changes from the table's stream. Their keys and the counter `wake` are enough, because a message only names an item.

use std::collections::HashMap;

use serde::Deserialize;

use super::subject::Subject;
use spillway_store::{TableKey, WAKE, WorkItem, brings_message};

/// The event that Lambda sends for a stream, with the fields that are used.
#[derive(Debug, Deserialize)]
pub struct ChangesEvent {
    #[serde(rename = "Records", default)]
    records: Vec<Record>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Record {
    event_name: String,
    dynamodb: StreamRecord,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct StreamRecord {
    keys: RecordKeys,
    #[serde(default)]
    new_image: Image,
    #[serde(default)]
    old_image: Image,
    sequence_number: String,
}

/// The attributes of an item by name.
type Image = HashMap<String, serde_json::Value>;

#[derive(Debug, Deserialize)]
struct RecordKeys {
    pk: TextAttribute,
    sk: TextAttribute,
}

#[derive(Debug, Deserialize)]
struct TextAttribute {
    #[serde(rename = "S")]
    text: String,
}

/// A change of the table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StreamChange {
    /// The sequence number of the change in the stream.
    pub sequence: String,
    /// The key of the changed item.
    pub key: TableKey,
    /// Whether the item is new.
    inserted: bool,
    /// Whether the item's counter `wake` changed.
    woken: bool,
}

impl StreamChange {
    /// The item that may need work now. None if no work is known for its key.
    pub fn item(&self) -> Option<WorkItem> {
        WorkItem::of(&self.key)
    }

    /// Whether this change brings a message.
    pub fn brings_message(&self) -> bool {
        brings_message(&self.key, self.inserted, self.woken)
    }

    /// The subject for the log. A movement is named by its entry's id, and an unknown item by the sequence number.
    pub fn subject(&self) -> Subject {
        let Some(item) = self.item() else { return Subject::new(&self.sequence) };
        match self.key.movement() {
            Some(movement) => Subject::new(movement.entry).of(item.tenant()),
            None => Subject::from(&item),
        }
    }
}

impl From<Record> for StreamChange {
    fn from(Record { event_name, dynamodb }: Record) -> StreamChange {
        let StreamRecord { keys, new_image, old_image, sequence_number } = dynamodb;
        StreamChange {
            sequence: sequence_number,
            key: TableKey { pk: keys.pk.text, sk: keys.sk.text },
            inserted: event_name == "INSERT",
            woken: new_image.get(WAKE).is_some_and(|wake| old_image.get(WAKE) != Some(wake)),
        }
    }
}

impl ChangesEvent {
    /// The changes in the order of the stream. (The stream's filter selects the changes that arrive.)
    pub fn changes(self) -> Vec<StreamChange> {
        self.records.into_iter().map(StreamChange::from).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whether a change of an endpoint brings a message, given the event name, and `wake` before and after.
    fn woken(event_name: &str, before: Option<u32>, after: Option<u32>) -> bool {
        let image = |wake: Option<u32>| match wake {
            Some(wake) => serde_json::json!({"status": {"S": "enabled"}, "wake": {"N": wake.to_string()}}),
            None => serde_json::json!({"status": {"S": "enabled"}}),
        };
        let tail = "7ccpzn4gffpza71gj3mr6qsffj";
        let keys =
            serde_json::json!({"pk": {"S": format!("mer_{tail}#test#webhooks")}, "sk": {"S": format!("we_{tail}")}});
        let record = serde_json::json!({"eventName": event_name, "dynamodb": {
            "Keys": keys, "OldImage": image(before), "NewImage": image(after), "SequenceNumber": "1"}});
        let event: ChangesEvent = serde_json::from_value(serde_json::json!({"Records": [record]})).unwrap();
        event.changes()[0].brings_message()
    }

    #[test]
    fn an_update_wakes_only_if_the_counter_changed() {
        assert!(woken("MODIFY", None, Some(1)));
        assert!(woken("MODIFY", Some(1), Some(2)));
        assert!(!woken("MODIFY", Some(2), Some(2)), "an item that was woken before passes the filter again");
        assert!(!woken("INSERT", None, None), "a new endpoint needs no work");
    }
}
