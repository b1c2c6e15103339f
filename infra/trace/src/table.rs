//! Reading the table. Nothing is written, and the table is never scanned.

use std::time::Duration;

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_dynamodb::types::{AttributeValue, KeysAndAttributes};
use futures::{StreamExt as _, TryStreamExt as _, stream};
use serde_json::{Map, Value};
use spillway_store::TableKey;
use spillway_store::keys;

use crate::error::TraceError;

/// An item as plain JSON.
pub type Item = Map<String, Value>;

/// DynamoDB's limit: keys of one BatchGetItem.
const BATCH_MAX: usize = 100;
/// Batches that are read at the same time.
const AT_ONCE: usize = 16;
/// Tries of a batch while the table leaves keys unprocessed.
const BATCH_TRIES: u32 = 8;

/// The attributes of one item, as the SDK has them.
type Attributes = std::collections::HashMap<String, AttributeValue>;

/// The table of a stack.
pub struct Table {
    client: Client,
    name: String,
}

/// A page of keys from the index `listing`, and the position of the next page.
pub struct ListedPage {
    pub keys: Vec<TableKey>,
    pub next: Option<Attributes>,
}

impl Table {
    pub fn new(client: Client, name: String) -> Table {
        Table { client, name }
    }

    /// The table's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// One item, read strongly. None if it does not exist.
    pub async fn item(&self, key: &TableKey) -> Result<Option<Item>, TraceError> {
        let request = self.client.get_item().table_name(&self.name).consistent_read(true);
        let answer = request.set_key(Some(key.attributes())).send().await.map_err(|error| self.failed(&error))?;
        answer.item.map(|item| self.plain(item)).transpose()
    }

    /// The items that exist at these keys, read eventually consistently, which costs half. They come in any order.
    pub async fn items(&self, keys: &[TableKey]) -> Result<Vec<(TableKey, Item)>, TraceError> {
        let batches = keys.chunks(BATCH_MAX).map(|batch| self.batch(batch));
        let found: Vec<Vec<_>> = stream::iter(batches).buffer_unordered(AT_ONCE).try_collect().await?;
        Ok(found.into_iter().flatten().collect())
    }

    async fn batch(&self, batch: &[TableKey]) -> Result<Vec<(TableKey, Item)>, TraceError> {
        let mut keys: Vec<Attributes> = batch.iter().map(TableKey::attributes).collect();
        let mut found = Vec::new();
        for attempt in 0..BATCH_TRIES {
            let wanted = KeysAndAttributes::builder().set_keys(Some(keys)).build();
            let wanted = wanted.map_err(|error| self.unreadable(error.to_string()))?;
            let request = self.client.batch_get_item().request_items(&self.name, wanted);
            let answer = request.send().await.map_err(|error| self.failed(&error))?;
            for item in answer.responses.unwrap_or_default().into_values().flatten() {
                if let Some(key) = TableKey::of(&item) {
                    found.push((key, self.plain(item)?));
                }
            }
            keys = answer.unprocessed_keys.unwrap_or_default().into_values().flat_map(|left| left.keys).collect();
            if keys.is_empty() {
                return Ok(found);
            }
            tokio::time::sleep(Duration::from_millis(50 << attempt)).await;
        }
        Err(self.unreadable("it is throttled".to_owned()))
    }

    /// The items of a partition whose sort keys begin with `prefix`, read strongly.
    pub async fn partition(&self, pk: &str, prefix: &str) -> Result<Vec<Item>, TraceError> {
        let query = self.client.query().table_name(&self.name).consistent_read(true);
        let pages = query
            .key_condition_expression("pk = :pk AND begins_with(sk, :prefix)")
            .expression_attribute_values(":pk", text(pk))
            .expression_attribute_values(":prefix", text(prefix))
            .into_paginator()
            .items()
            .send();
        let items: Result<Vec<_>, _> = pages.collect().await;
        items.map_err(|error| self.failed(&error))?.into_iter().map(|item| self.plain(item)).collect()
    }

    /// The first item of a partition with this source, between two sort keys. It reads forward until it finds one.
    pub async fn first_of(
        &self, pk: &str, (from, until): (&str, &str), source: &str,
    ) -> Result<Option<Item>, TraceError> {
        let query = self.client.query().table_name(&self.name).consistent_read(true);
        let mut pages = query
            .key_condition_expression("pk = :pk AND sk BETWEEN :from AND :until")
            .filter_expression("#source = :source")
            .expression_attribute_names("#source", "source")
            .expression_attribute_values(":pk", text(pk))
            .expression_attribute_values(":from", text(from))
            .expression_attribute_values(":until", text(until))
            .expression_attribute_values(":source", text(source))
            .into_paginator()
            .items()
            .send();
        match pages.next().await {
            Some(item) => self.plain(item.map_err(|error| self.failed(&error))?).map(Some),
            None => Ok(None),
        }
    }

    /// A page of a partition of the index `listing`: the newest first, at most `limit`, or 1 MB of rows.
    pub async fn listed(
        &self, partition: &str, limit: Option<i32>, from: Option<Attributes>,
    ) -> Result<ListedPage, TraceError> {
        let query = self.client.query().table_name(&self.name).index_name(keys::LISTING.0);
        let page = query
            .key_condition_expression("#partition = :partition")
            .expression_attribute_names("#partition", keys::LISTING.0)
            .expression_attribute_values(":partition", text(partition))
            .scan_index_forward(false)
            .set_limit(limit)
            .set_exclusive_start_key(from)
            .send()
            .await
            .map_err(|error| self.failed(&error))?;
        let keys = page.items.unwrap_or_default().iter().filter_map(TableKey::of).collect();
        Ok(ListedPage { keys, next: page.last_evaluated_key })
    }

    fn plain(&self, item: Attributes) -> Result<Item, TraceError> {
        serde_dynamo::from_item(item).map_err(|error| self.unreadable(error.to_string()))
    }

    fn failed<E: ProvideErrorMetadata, R>(&self, error: &SdkError<E, R>) -> TraceError {
        let why = match (error.code(), error.message()) {
            (Some(code), Some(message)) => format!("{code}: {message}"),
            (Some(code), None) => code.to_owned(),
            _ => "it does not answer".to_owned(),
        };
        self.unreadable(why.trim_end_matches('.').to_owned())
    }

    fn unreadable(&self, why: String) -> TraceError {
        TraceError::Table { table: self.name.clone(), why }
    }
}

fn text(value: &str) -> AttributeValue {
    AttributeValue::S(value.to_owned())
}
