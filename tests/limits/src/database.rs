//! The embedded table, called with DynamoDB's JSON.

use std::collections::BTreeMap;

use dynoxide::types::{item_size, write_capacity_units};
use dynoxide::{AttributeValue, Database as Engine, DynoxideError, Item};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::call::{Answer, Call};
use crate::place::Space;

/// A change of an item.
#[derive(Clone, Debug)]
pub struct Change {
    /// The item's partition key and sort key.
    pub key: (String, String),
    /// The item before. None if it is new.
    pub before: Option<Item>,
    /// The item after. None if it was deleted.
    pub after: Option<Item>,
}

/// One table with its indexes.
pub struct Database {
    engine: Engine,
    table: String,
    /// The names of the partition key and the sort key of the table.
    pub key: (String, String),
    /// By name.
    pub indexes: BTreeMap<String, Index>,
}

/// An index.
pub struct Index {
    /// The names of its partition key and its sort key.
    pub key: (String, String),
    /// The other attributes that it holds. None if it holds all.
    held: Option<Vec<String>>,
}

impl Index {
    fn new(definition: &Value) -> Index {
        let projection = &definition["Projection"];
        let names =
            || crate::call::list(&projection["NonKeyAttributes"]).filter_map(|name| Some(name.as_str()?.to_owned()));
        let held = (projection["ProjectionType"] != "ALL").then(|| names().collect());
        Index { key: names_of(&definition["KeySchema"]), held }
    }

    /// Whether an entry whose key stays the same is written again.
    pub fn holds_change(&self, change: &Change) -> bool {
        let of = |item: &Option<Item>, name: &String| item.as_ref().and_then(|item| item.get(name).cloned());
        match &self.held {
            None => change.before != change.after,
            Some(held) => held.iter().any(|name| of(&change.before, name) != of(&change.after, name)),
        }
    }
}

impl Database {
    /// An empty table, as the request CreateTable describes it.
    pub fn new(create: &Value) -> Database {
        let engine = Engine::memory().unwrap();
        engine.create_table(serde_json::from_value(create.clone()).unwrap()).unwrap();
        let indexes = crate::call::list(&create["GlobalSecondaryIndexes"]);
        let indexes =
            indexes.map(|index| (index["IndexName"].as_str().unwrap().to_owned(), Index::new(index))).collect();
        let table = create["TableName"].as_str().unwrap().to_owned();
        Database { engine, table, key: names_of(&create["KeySchema"]), indexes }
    }

    /// Executes a call.
    pub fn execute(&self, call: &Call) -> Answer {
        let body = call.body.clone();
        let engine = &self.engine;
        match call.operation.as_str() {
            "PutItem" => answer(body, |request| engine.put_item(request)),
            "GetItem" => answer(body, |request| engine.get_item(request)),
            "UpdateItem" => answer(body, |request| engine.update_item(request)),
            "DeleteItem" => answer(body, |request| engine.delete_item(request)),
            "Query" => answer(body, |request| engine.query(request)),
            "Scan" => answer(body, |request| engine.scan(request)),
            "BatchGetItem" => answer(body, |request| engine.batch_get_item(request)),
            "BatchWriteItem" => answer(body, |request| engine.batch_write_item(request)),
            "TransactWriteItems" => answer(body, |request| engine.transact_write_items(request)),
            "TransactGetItems" => answer(body, |request| engine.transact_get_items(request)),
            other => Answer::error("UnknownOperationException", other),
        }
    }

    /// The item with the key that this item, or this key, has.
    pub fn item(&self, key: &Value) -> Option<Item> {
        let key = json!({&self.key.0: key[&self.key.0], &self.key.1: key[&self.key.1]});
        let request = json!({"TableName": self.table, "Key": key, "ConsistentRead": true});
        self.engine.get_item(serde_json::from_value(request).unwrap()).unwrap().item
    }

    /// Stores an item, or deletes the item with this key.
    pub fn set(&self, change: &Change) {
        match &change.after {
            Some(item) => {
                let request = json!({"TableName": self.table, "Item": item});
                self.engine.put_item(serde_json::from_value(request).unwrap()).unwrap();
            }
            None => {
                let key = json!({&self.key.0: {"S": change.key.0}, &self.key.1: {"S": change.key.1}});
                let request = json!({"TableName": self.table, "Key": key});
                self.engine.delete_item(serde_json::from_value(request).unwrap()).unwrap();
            }
        }
    }

    /// The key of an item in the table or in an index. None if the index does not have the item.
    pub fn place(&self, space: &Space, item: &Item) -> Option<(String, String)> {
        let names = match space {
            Space::Table => &self.key,
            Space::Index(index) => &self.indexes[index].key,
        };
        Some((text(item, &names.0)?, text(item, &names.1)?))
    }
}

/// Write units of an item: of the larger of the two states.
pub fn write_units(before: Option<&Item>, after: Option<&Item>) -> u64 {
    let size = before.into_iter().chain(after).map(item_size).max().unwrap_or_default();
    halves(&json!(write_capacity_units(size))) / 2
}

/// Half units of a number in an answer.
pub fn halves(units: &Value) -> u64 {
    let text = units.to_string();
    let (whole, rest) = text.split_once('.').unwrap_or((&text, ""));
    2 * whole.parse::<u64>().unwrap_or_default() + u64::from(rest.starts_with('5'))
}

fn text(item: &Item, name: &str) -> Option<String> {
    match item.get(name)? {
        AttributeValue::S(text) => Some(text.clone()),
        _ => None,
    }
}

fn names_of(schema: &Value) -> (String, String) {
    let name = |kind: &str| {
        let key = crate::call::list(schema).find(|key| key["KeyType"] == kind);
        key.map(|key| key["AttributeName"].as_str().unwrap().to_owned()).unwrap_or_default()
    };
    (name("HASH"), name("RANGE"))
}

fn answer<Q: DeserializeOwned, A: Serialize>(
    body: Value, execute: impl FnOnce(Q) -> Result<A, DynoxideError>,
) -> Answer {
    let request = match serde_json::from_value(body) {
        Ok(request) => request,
        Err(error) => return Answer::error("SerializationException", &error.to_string()),
    };
    match execute(request) {
        Ok(answer) => Answer::ok(serde_json::to_value(answer).unwrap()),
        Err(error) => {
            Answer { status: error.status_code(), body: serde_json::from_str(&error.to_json()).unwrap_or_default() }
        }
    }
}
