//! Reads from a DynamoDB call which accesses it needs.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::arn;
use crate::policy::{Access, LeadingKeys};
use crate::template;

/// The partition keys of the table and its indexes.
#[derive(Clone, Debug)]
pub struct Store {
    region: String,
    /// The partition key's attribute of the table (`None`) and of each index.
    partition_keys: BTreeMap<Option<String>, String>,
}

impl Store {
    pub fn new(region: &str, table: &template::Table) -> Self {
        let properties = &table.properties;
        let mut partition_keys = BTreeMap::new();
        if let Some(attribute) = partition_key(&properties["KeySchema"]) {
            partition_keys.insert(None, attribute);
        }
        for index in properties["GlobalSecondaryIndexes"].as_array().into_iter().flatten() {
            if let (Some(name), Some(attribute)) = (index["IndexName"].as_str(), partition_key(&index["KeySchema"])) {
                partition_keys.insert(Some(name.to_owned()), attribute);
            }
        }
        Self { region: region.to_owned(), partition_keys }
    }

    /// The accesses that the call `operation` with this body needs. All must be allowed.
    pub fn needs(&self, operation: &str, body: &Value) -> Vec<Access> {
        match operation {
            "PutItem" => vec![self.access(operation, body, self.keys([&body["Item"]]))],
            "GetItem" | "UpdateItem" | "DeleteItem" => {
                vec![self.access(operation, body, self.keys([&body["Key"]]))]
            }
            "Query" => vec![self.access(operation, body, self.queried(body))],
            "BatchGetItem" | "BatchWriteItem" => self.batch(operation, &body["RequestItems"]),
            "TransactGetItems" | "TransactWriteItems" => self.transaction(&body["TransactItems"]),
            _ => vec![self.access(operation, body, LeadingKeys::Known(Vec::new()))],
        }
    }

    fn access(&self, operation: &str, call: &Value, leading_keys: LeadingKeys) -> Access {
        let mut resource = self.arn(call["TableName"].as_str());
        if let Some(index) = call["IndexName"].as_str() {
            resource = format!("{resource}/index/{index}");
        }
        Access { action: format!("dynamodb:{operation}"), resource, leading_keys }
    }

    /// A call may name a table by its ARN.
    fn arn(&self, table: Option<&str>) -> String {
        match table {
            Some(arn) if arn.starts_with("arn:") => arn.to_owned(),
            Some(name) => arn::table(&self.region, name),
            None => "*".to_owned(),
        }
    }

    /// The partition keys of these items or keys of the table.
    fn keys<'a>(&self, items: impl IntoIterator<Item = &'a Value>) -> LeadingKeys {
        let attribute = self.partition_keys.get(&None);
        let keys = items.into_iter().map(|item| text(&item[attribute?]));
        known(keys.collect())
    }

    /// One access for each table of a batch.
    fn batch(&self, operation: &str, tables: &Value) -> Vec<Access> {
        let access = |(table, requests): (&String, &Value)| {
            let keys = match operation {
                "BatchGetItem" => self.keys(list(&requests["Keys"])),
                _ => self.keys(list(requests).map(|request| match &request["PutRequest"]["Item"] {
                    Value::Null => &request["DeleteRequest"]["Key"],
                    item => item,
                })),
            };
            Access { action: format!("dynamodb:{operation}"), resource: self.arn(Some(table)), leading_keys: keys }
        };
        tables.as_object().into_iter().flatten().map(access).collect()
    }

    /// A transaction needs the actions of its items. AWS does not document which keys each action is checked against.
    /// Here it is all keys of the transaction in that table, the strictest reading.
    fn transaction(&self, items: &Value) -> Vec<Access> {
        let parts = list(items).filter_map(|item| item.as_object()?.iter().next());
        let mut by_table: BTreeMap<String, (BTreeSet<String>, Vec<&Value>)> = BTreeMap::new();
        for (kind, part) in parts {
            let (actions, keys) = by_table.entry(self.arn(part["TableName"].as_str())).or_default();
            actions.insert(if kind == "ConditionCheck" {
                "ConditionCheckItem".to_owned()
            } else {
                format!("{kind}Item")
            });
            keys.push(if kind == "Put" { &part["Item"] } else { &part["Key"] });
        }
        let accesses = by_table.into_iter().flat_map(|(resource, (actions, keys))| {
            let leading_keys = self.keys(keys);
            actions.into_iter().map(move |action| Access {
                action: format!("dynamodb:{action}"),
                resource: resource.clone(),
                leading_keys: leading_keys.clone(),
            })
        });
        accesses.collect()
    }

    /// The partition key in a query's condition: that of its index, or of the table.
    fn queried(&self, query: &Value) -> LeadingKeys {
        let index = query["IndexName"].as_str().map(str::to_owned);
        let found = || {
            let attribute = self.partition_keys.get(&index)?;
            let tokens = tokens(query["KeyConditionExpression"].as_str()?);
            let names = |token: &str| {
                let name =
                    if token.starts_with('#') { query["ExpressionAttributeNames"][token].as_str()? } else { token };
                (name == attribute).then_some(())
            };
            let at = tokens.windows(2).position(|two| two[1] == "=" && names(two[0]).is_some())?;
            text(&query["ExpressionAttributeValues"][*tokens.get(at + 2)?])
        };
        known(found().map(|key| vec![key]))
    }
}

fn known(keys: Option<Vec<String>>) -> LeadingKeys {
    keys.map_or(LeadingKeys::Unknown, LeadingKeys::Known)
}

fn partition_key(schema: &Value) -> Option<String> {
    let key = list(schema).find(|key| key["KeyType"] == "HASH")?;
    Some(key["AttributeName"].as_str()?.to_owned())
}

fn list(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

/// An attribute's value as a condition sees it.
fn text(attribute: &Value) -> Option<String> {
    let text = attribute["S"].as_str().or_else(|| attribute["N"].as_str());
    text.map(str::to_owned)
}

/// The tokens of a condition.
fn tokens(expression: &str) -> Vec<&str> {
    let is_word = |letter: char| letter.is_alphanumeric() || "_#:.-".contains(letter);
    let is_sign = |letter: char| "<>=".contains(letter);
    let mut tokens = Vec::new();
    let mut rest = expression.trim_start();
    while let Some(first) = rest.chars().next() {
        let same = |letter: char| if is_word(first) { is_word(letter) } else { is_sign(first) && is_sign(letter) };
        let end = rest.char_indices().skip(1).find(|(_, letter)| !same(*letter)).map_or(rest.len(), |(at, _)| at);
        let (token, behind) = rest.split_at(end);
        tokens.push(token);
        rest = behind.trim_start();
    }
    tokens
}
