//! What the table's stream tells: the keys are enough, because a message only names a thing.

use serde::Deserialize;

use super::message::Thing;
use super::subject::Subject;
use crate::store::Key;

/// The event that Lambda sends for a stream: the fields that are used.
#[derive(Debug, Deserialize)]
pub struct ChangesEvent {
    #[serde(rename = "Records", default)]
    records: Vec<Record>,
}

#[derive(Debug, Deserialize)]
struct Record {
    dynamodb: StreamRecord,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct StreamRecord {
    keys: RecordKeys,
    sequence_number: String,
}

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
    /// Its place in the stream.
    pub sequence: String,
    /// Of which item.
    pub key: Key,
}

impl StreamChange {
    /// What may need work now. None if the key is none of Spillway's.
    pub fn thing(&self) -> Option<Thing> {
        self.key.thing()
    }

    /// For the log: a movement by its entry's id, and by its place in the stream what can't be read.
    pub fn subject(&self) -> Subject {
        let Some(thing) = self.thing() else { return Subject::new(&self.sequence) };
        match self.key.movement() {
            Some(movement) => Subject::new(movement.entry).of(&thing.tenant().merchant),
            None => Subject::from(&thing),
        }
    }
}

impl ChangesEvent {
    /// The changes in their order. (Which kinds of change come at all, the stream's filter says.)
    pub fn changes(self) -> Vec<StreamChange> {
        let change = |record: Record| StreamChange {
            sequence: record.dynamodb.sequence_number,
            key: Key { pk: record.dynamodb.keys.pk.text, sk: record.dynamodb.keys.sk.text },
        };
        self.records.into_iter().map(change).collect()
    }
}
