//! The table: keys, conditions and the reasons of failed writes. The only user of the DynamoDB SDK.
//!
//! One write call holds everything that is true at once, and every guard is a condition inside it. Each file knows the
//! conditions of one resource.

mod api_key;
mod balance;
mod difference;
mod due;
mod event;
mod journal;
pub mod keys;
mod listing;
mod merchant;
mod payment;
mod reading;
mod reason;
mod sandbox;
mod webhook;

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::config::{AsyncSleep as _, SharedAsyncSleep};
use aws_sdk_dynamodb::operation::update_item::UpdateItemError;
use aws_sdk_dynamodb::operation::update_item::builders::UpdateItemFluentBuilder;
use aws_sdk_dynamodb::types::{
    AttributeValue, Put, ReturnValuesOnConditionCheckFailure as OnFailure, TransactWriteItem,
};
use serde::Serialize;
use serde::de::DeserializeOwned;
use spillway_domain::id::hex;

pub use api_key::IssuedKey;
pub use due::{Claim, Due, DueSpace, Overdue, SWEEP_MAX};
pub use event::StoredEvent;
pub use keys::Key;
pub use payment::Committed;
pub use reading::Readable;
pub use reason::{Conflicts, StoreError};
pub use sandbox::SandboxCall;

use crate::runtime::settings::store_deadline;
use crate::runtime::{Metrics, Random, SettingError, Start};

/// An item as the SDK has it.
pub(crate) type Item = HashMap<String, AttributeValue>;

/// Stands in every item, so that a later shape can tell an earlier one.
const SCHEMA: u32 = 1;
/// The attribute that tells a write from all others: random text, new with each write.
const WRITER: &str = "writer";

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
    metrics: Arc<Metrics>,
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
    /// The table that `TABLE_NAME` names. Items that can't be read are counted in the invocation's metrics.
    pub fn new(start: &Start<'_>) -> Result<Store, SettingError> {
        Ok(Store {
            table: start.environment.text("TABLE_NAME")?,
            client: start.dynamodb()?,
            first_due_s: None,
            deadline: store_deadline(&start.environment)?,
            random: start.outside.random.clone(),
            sleep: start.outside.sleep.clone(),
            metrics: start.metrics.clone(),
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
        self.get_item(key).await?.map(|item| self.read(item)).transpose()
    }

    /// Reads one item strongly, with its due time. None if there is none.
    async fn get_with_due<T: DeserializeOwned>(&self, key: &Key) -> Result<Option<(T, Option<Due>)>, StoreError> {
        let Some(item) = self.get_item(key).await? else { return Ok(None) };
        let due = Due::of(&item);
        Ok(Some((self.read(item)?, due)))
    }

    async fn get_item(&self, key: &Key) -> Result<Option<Item>, StoreError> {
        let request =
            self.client.get_item().table_name(&self.table).consistent_read(true).set_key(Some(key.attributes()));
        Ok(request.send().await.map_err(StoreError::from_sdk)?.item)
    }

    /// Creates an item on condition that there is none with its key, or tells what is there: one call either way.
    async fn create<T: DeserializeOwned>(&self, mut item: Item) -> Result<Created<T>, StoreError> {
        let writer = self.writer();
        item.insert(WRITER.to_owned(), writer.clone());
        let request = self
            .client
            .put_item()
            .table_name(&self.table)
            .set_item(Some(item))
            .condition_expression("attribute_not_exists(pk)")
            .return_values_on_condition_check_failure(OnFailure::AllOld);
        match request.send().await {
            Ok(_) => Ok(Created::New),
            Err(error) => match reason::condition_failed(&error) {
                Some(Some(existing)) if existing.get(WRITER) == Some(&writer) => Ok(Created::New),
                Some(Some(existing)) => Ok(Created::Existing(self.read(existing)?)),
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

    /// An update of one item, to be completed and given to [`Store::write`].
    fn update(&self, key: &Key) -> UpdateItemFluentBuilder {
        self.client.update_item().table_name(&self.table).set_key(Some(key.attributes()))
    }

    /// Whether the update was written: false if its condition did not hold.
    async fn write(&self, update: UpdateItemFluentBuilder) -> Result<bool, StoreError> {
        Ok(self.written(update).await?.is_some())
    }

    /// Writes an update. The attributes that it asks for, or the whole item if it was found written already; none if its
    /// condition did not hold.
    ///
    /// If a reply is lost, the SDK sends the update again, and the condition may then fail because of the update itself.
    /// So each update marks the item with [`WRITER`]: a failed condition that finds this mark is a success.
    async fn written(&self, update: UpdateItemFluentBuilder) -> Result<Option<Item>, StoreError> {
        let writer = self.writer();
        let expression = with_writer(update.get_update_expression().as_deref().unwrap_or_default());
        let update = update
            .update_expression(expression)
            .expression_attribute_values(":writer", writer.clone())
            .return_values_on_condition_check_failure(OnFailure::AllOld);
        match update.send().await {
            Ok(answer) => Ok(Some(answer.attributes.unwrap_or_default())),
            Err(error) => match error.as_service_error() {
                Some(UpdateItemError::ConditionalCheckFailedException(failed)) => {
                    Ok(failed.item.clone().filter(|found| found.get(WRITER) == Some(&writer)))
                }
                _ => Err(StoreError::from_sdk(error)),
            },
        }
    }

    /// A new value of the attribute [`WRITER`].
    fn writer(&self) -> AttributeValue {
        text(self.random_text::<8>())
    }

    /// Waits before the next try of a batch: longer each time, and not everybody equally long.
    async fn back_off(&self, attempt: u32) {
        let mut random = [0];
        (self.random)(&mut random);
        self.sleep.sleep(Duration::from_millis((u64::from(random[0]) + 1) << attempt.min(4))).await;
    }

    /// A token that makes the retries of one transaction one transaction.
    fn transaction_token(&self) -> String {
        self.random_text::<16>()
    }

    /// So many random bytes, as text.
    fn random_text<const BYTES: usize>(&self) -> String {
        let mut bytes = [0; BYTES];
        (self.random)(&mut bytes);
        hex(&bytes)
    }
}

/// An update's expression that sets the attribute [`WRITER`] too. (Each clause may stand in it once.)
fn with_writer(expression: &str) -> String {
    let Some((before, sets)) = expression.split_once("SET ") else {
        return format!("{expression} SET {WRITER} = :writer").trim_start().to_owned();
    };
    let next = [" REMOVE ", " ADD ", " DELETE "].into_iter().filter_map(|clause| sets.find(clause)).min();
    let (sets, rest) = sets.split_at(next.unwrap_or(sets.len()));
    format!("{before}SET {sets}, {WRITER} = :writer{rest}")
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_writer_is_set_whatever_else_an_update_does() {
        for (expression, expected) in [
            ("SET a = :a, b = :b", "SET a = :a, b = :b, writer = :writer"),
            ("REMOVE a, b", "REMOVE a, b SET writer = :writer"),
            ("SET a = :a REMOVE b, c", "SET a = :a, writer = :writer REMOVE b, c"),
            ("ADD a :a SET b = :b", "ADD a :a SET b = :b, writer = :writer"),
            ("SET a = :a ADD b :b REMOVE c", "SET a = :a, writer = :writer ADD b :b REMOVE c"),
            ("", "SET writer = :writer"),
        ] {
            assert_eq!(with_writer(expression), expected);
        }
    }
}
