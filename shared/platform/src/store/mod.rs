//! The table: keys, conditions and the reasons of failed writes. The only user of the DynamoDB SDK.
//!
//! One write call holds everything that is true at once, and every guard is a condition inside it. Each file knows the
//! conditions of one resource.

mod api_key;
mod balance;
mod due;
mod event;
mod journal;
pub mod keys;
mod listing;
mod merchant;
mod payment;
mod reason;
mod sandbox;
mod webhook;

use std::collections::HashMap;
use std::fmt;
use std::time::Duration;

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::config::{AsyncSleep as _, SharedAsyncSleep};
use aws_sdk_dynamodb::operation::put_item::builders::PutItemFluentBuilder;
use aws_sdk_dynamodb::operation::update_item::UpdateItemError;
use aws_sdk_dynamodb::operation::update_item::builders::UpdateItemFluentBuilder;
use aws_sdk_dynamodb::types::{AttributeValue, Put, TransactWriteItem};
use serde::Serialize;
use serde::de::DeserializeOwned;
use spillway_domain::id::hex;

pub use api_key::IssuedKey;
pub use due::{Claim, DueSpace, SWEEP_MAX};
pub use event::StoredEvent;
pub use keys::Key;
pub use payment::Committed;
pub use reason::{Conflicts, StoreError};
pub use sandbox::SandboxCall;

use crate::runtime::settings::store_deadline;
use crate::runtime::{Random, SettingError, Start};

/// An item as the SDK has it.
pub(crate) type Item = HashMap<String, AttributeValue>;

/// Stands in every item, so that a later shape can tell an earlier one.
const SCHEMA: u32 = 1;

/// The table of one deployment.
#[derive(Clone)]
pub struct Store {
    client: Client,
    table: String,
    /// None in functions that make nothing due.
    first_due_s: Option<u32>,
    deadline: Duration,
    random: Random,
    sleep: SharedAsyncSleep,
}

impl fmt::Debug for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Store").field("table", &self.table).finish_non_exhaustive()
    }
}

/// How a creation ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Created<T> {
    /// It is stored now.
    New,
    /// This was there before, and stays as it was.
    Existing(T),
}

impl Store {
    /// The table that `TABLE_NAME` names.
    pub fn new(start: &Start<'_>) -> Result<Store, SettingError> {
        Ok(Store {
            table: start.environment.text("TABLE_NAME")?,
            client: start.dynamodb()?,
            first_due_s: None,
            deadline: store_deadline(&start.environment)?,
            random: start.outside.random.clone(),
            sleep: start.outside.sleep.clone(),
        })
    }

    /// The same, for functions that write what is unfinished: it is due after `FIRST_DUE_SECONDS`.
    pub fn with_due_times(start: &Start<'_>) -> Result<Store, SettingError> {
        let store = Store::new(start)?;
        Ok(Store { first_due_s: Some(start.environment.number("FIRST_DUE_SECONDS")?), ..store })
    }

    /// The table's name.
    pub fn table(&self) -> &str {
        &self.table
    }

    /// Reads one item strongly. None if there is none.
    async fn get<T: DeserializeOwned>(&self, key: &Key) -> Result<Option<T>, StoreError> {
        let request =
            self.client.get_item().table_name(&self.table).consistent_read(true).set_key(Some(key.attributes()));
        request.send().await.map_err(StoreError::from_sdk)?.item.map(from_item).transpose()
    }

    /// Creates an item on condition that there is none with its key, or tells what is there: one call either way.
    async fn create<T: DeserializeOwned>(&self, item: Item) -> Result<Created<T>, StoreError> {
        let request = self
            .client
            .put_item()
            .table_name(&self.table)
            .set_item(Some(item))
            .condition_expression("attribute_not_exists(pk)")
            .return_values_on_condition_check_failure(
                aws_sdk_dynamodb::types::ReturnValuesOnConditionCheckFailure::AllOld,
            );
        match request.send().await {
            Ok(_) => Ok(Created::New),
            Err(error) => match reason::condition_failed(&error) {
                Some(Some(existing)) => Ok(Created::Existing(from_item(existing)?)),
                Some(None) => Err(StoreError::Corrupt("a failed condition came without its item".to_owned())),
                None => Err(StoreError::from_sdk(error)),
            },
        }
    }

    /// The part of a transaction that creates an item, on condition that there is none with its key.
    fn creation(&self, item: Item) -> Result<TransactWriteItem, StoreError> {
        let put = Put::builder().table_name(&self.table).set_item(Some(item));
        let put = put.condition_expression("attribute_not_exists(pk)").build().map_err(StoreError::incomplete)?;
        Ok(TransactWriteItem::builder().put(put).build())
    }

    /// All items of a partition whose sort key begins with `prefix`, read strongly.
    async fn query(&self, partition: &str, prefix: &str, limit: Option<usize>) -> Result<Vec<Item>, StoreError> {
        let mut items = Vec::new();
        let mut from = None;
        loop {
            let page_size = limit.map(|limit| i32::try_from(limit - items.len()).unwrap_or(i32::MAX));
            let mut request = self
                .client
                .query()
                .table_name(&self.table)
                .consistent_read(true)
                .set_limit(page_size)
                .set_exclusive_start_key(from)
                .expression_attribute_values(":pk", text(partition));
            request = if prefix.is_empty() {
                request.key_condition_expression("pk = :pk")
            } else {
                request
                    .key_condition_expression("pk = :pk AND begins_with(sk, :prefix)")
                    .expression_attribute_values(":prefix", text(prefix))
            };
            let page = request.send().await.map_err(StoreError::from_sdk)?;
            items.extend(page.items.unwrap_or_default());
            from = page.last_evaluated_key;
            if from.is_none() || limit.is_some_and(|limit| items.len() >= limit) {
                return Ok(items);
            }
        }
    }

    /// An update of one item, to be completed and given to [`Store::write`].
    fn update(&self, key: &Key) -> UpdateItemFluentBuilder {
        self.client.update_item().table_name(&self.table).set_key(Some(key.attributes()))
    }

    /// Whether the update was written: false if its condition did not hold.
    async fn write(&self, update: UpdateItemFluentBuilder) -> Result<bool, StoreError> {
        match update.send().await {
            Ok(_) => Ok(true),
            Err(error) => match error.as_service_error() {
                Some(UpdateItemError::ConditionalCheckFailedException(_)) => Ok(false),
                _ => Err(StoreError::from_sdk(error)),
            },
        }
    }

    /// Whether the put was written: false if its condition did not hold.
    async fn put(&self, put: PutItemFluentBuilder) -> Result<bool, StoreError> {
        match put.send().await {
            Ok(_) => Ok(true),
            Err(error) if reason::condition_failed(&error).is_some() => Ok(false),
            Err(error) => Err(StoreError::from_sdk(error)),
        }
    }

    /// Waits before the next try of a batch: longer each time, and not everybody equally long.
    async fn back_off(&self, attempt: u32) {
        let mut random = [0];
        (self.random)(&mut random);
        self.sleep.sleep(Duration::from_millis((u64::from(random[0]) + 1) << attempt.min(4))).await;
    }

    /// A token that makes the retries of one transaction one transaction.
    fn transaction_token(&self) -> String {
        let mut bytes = [0; 16];
        (self.random)(&mut bytes);
        hex(&bytes)
    }
}

fn text(value: impl Into<String>) -> AttributeValue {
    AttributeValue::S(value.into())
}

fn number(value: impl fmt::Display) -> AttributeValue {
    AttributeValue::N(value.to_string())
}

/// The stored form of a value at its key.
fn to_item(key: &Key, value: &impl Serialize) -> Result<Item, StoreError> {
    let item: Item = serde_dynamo::to_item(value).map_err(|error| StoreError::Corrupt(error.to_string()))?;
    // An absent attribute costs nothing and reads as none.
    let mut item: Item = item.into_iter().filter(|(_, value)| !matches!(value, AttributeValue::Null(_))).collect();
    item.extend(key.attributes());
    item.insert("schema".to_owned(), number(SCHEMA));
    Ok(item)
}

fn from_item<T: DeserializeOwned>(item: Item) -> Result<T, StoreError> {
    let key = item.get("pk").and_then(|pk| pk.as_s().ok()).cloned().unwrap_or_default();
    serde_dynamo::from_item(item).map_err(|error| StoreError::Corrupt(format!("{key}: {error}")))
}
