//! The table: keys, conditions and the reasons of failed writes. The only user of the DynamoDB SDK.
//!
//! Facts that must become true together are written by one call, and every guard is a condition of that call. Each file
//! has the conditions of one resource.

mod api_key;
mod balance;
mod cache;
mod commit;
mod due;
mod edit;
mod event;
mod expression;
mod failure_limit;
mod items;
mod journal;
pub mod keys;
mod kinds;
mod listing;
mod merchant;
mod merchants;
mod operator;
mod parts;
mod propagation;
mod reading;
mod reason;
mod resource;
mod sandbox;
mod webhook;
mod work_item;

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use aws_sdk_dynamodb::config::{AsyncSleep as _, SharedAsyncSleep};
use aws_sdk_dynamodb::types::AttributeValue;
use aws_sdk_dynamodb::{Client, config};
use serde::Serialize;
use serde::de::DeserializeOwned;
use spillway_domain::failure_limit::FailureLimit;
use spillway_domain::id::hex;

pub use api_key::IssuedKey;
pub use commit::Committed;
pub use due::{Claim, Due, DueGroup, Unfinished};
pub use event::{REDELIVERIES_MAX, Redelivery, StoredEvent};
pub use items::{ItemKind, StoredItem};
pub use keys::TableKey;
pub use kinds::{QueueName, WorkKind, brings_message, stream_filters};
pub use merchants::Merchants;
pub use parts::{StoreOnly, StoreWithEvents};
pub use propagation::{Propagation, ShardsAhead};
pub use reading::Readable;
pub use reason::{Conflicts, StoreError, ThrottledUpdates};
pub use resource::{Created, Listed, Stale};
pub use sandbox::SandboxCall;
pub use webhook::{DeletableEndpoint, NotCreated, NotUpdated};
pub use work_item::WorkItem;

use self::commit::Commit;
use spillway_runtime::settings::DYNAMODB;
use spillway_runtime::{Clock, Metrics, Random, SettingError, Start};

/// An item in the form of the SDK: attribute values by name.
pub(crate) type Item = HashMap<String, AttributeValue>;

/// The attribute with the time at which an item expires. The table deletes the item some time later; until then readers
/// ignore it.
const EXPIRES_AT: &str = "expires_at";
/// The counter that an update raises when a finished item needs work again. Then the stream brings a message.
pub const WAKE: &str = "wake";
/// The version of the item format. Every item has it, so that later code can recognize an earlier format.
const SCHEMA: u32 = 1;

/// The table of one deployment.
#[derive(Clone)]
pub struct Store {
    client: Client,
    table: String,
    /// None in functions that set no due times.
    first_due_s: Option<u32>,
    /// None in functions that write no events.
    event_retention_days: Option<u32>,
    /// No limit in functions that read none.
    failure_limit: FailureLimit,
    now: Clock,
    deadline: Duration,
    random: Random,
    sleep: SharedAsyncSleep,
    metrics: Arc<Metrics>,
}

impl Store {
    /// The table that `TABLE_NAME` names. Items that can't be read are counted in the invocation's metrics. Errors if a
    /// variable is missing or wrong.
    pub fn new(start: &Start<'_>) -> Result<Store, SettingError> {
        Store::with_client(start, |client| client)
    }

    /// The same, for the sweep. It does not repeat an update that the table throttles, because each repetition would take
    /// units from the requests of clients.
    pub fn of_sweep(start: &Start<'_>) -> Result<Store, SettingError> {
        Store::with_client(start, |client| client.retry_classifier(ThrottledUpdates))
    }

    fn with_client(
        start: &Start<'_>, change: impl FnOnce(config::Builder) -> config::Builder,
    ) -> Result<Store, SettingError> {
        let table = start.environment.text("TABLE_NAME")?;
        let client =
            config::Builder::from(&start.service(DYNAMODB)?).interceptor(start.metering()).retry_classifier(Conflicts);
        let client = change(client);
        Ok(Store {
            table,
            client: Client::from_conf(client.build()),
            first_due_s: None,
            event_retention_days: None,
            failure_limit: FailureLimit { max: 0, refill_s: 0 },
            now: start.effects.now.clone(),
            deadline: start.environment.store_deadline()?,
            random: start.effects.random.clone(),
            sleep: start.effects.sleep.clone(),
            metrics: start.metrics.clone(),
        })
    }

    /// The same, for functions that write unfinished items. Such an item is due after `FIRST_DUE_SECONDS`.
    pub fn with_due_times(start: &Start<'_>) -> Result<Store, SettingError> {
        let store = Store::new(start)?;
        Ok(Store { first_due_s: Some(start.environment.number("FIRST_DUE_SECONDS")?), ..store })
    }

    /// The same, for functions that write events. An event is stored for `EVENT_RETENTION_DAYS`.
    pub fn with_events(start: &Start<'_>) -> Result<Store, SettingError> {
        let store = Store::with_due_times(start)?;
        Ok(Store { event_retention_days: Some(start.environment.number("EVENT_RETENTION_DAYS")?), ..store })
    }

    /// Days for which an event is stored. Errors in a function that was not started with [`Store::with_events`].
    fn event_retention_days(&self) -> Result<u32, StoreError> {
        self.event_retention_days.ok_or_else(|| StoreError::Refused("EVENT_RETENTION_DAYS is not read".to_owned()))
    }

    /// Whether an item has expired. The table deletes it some time after it expires.
    fn has_expired(&self, item: &Item) -> bool {
        let expires_at = item.get(EXPIRES_AT).and_then(|at| at.as_n().ok()?.parse::<i64>().ok());
        expires_at.is_some_and(|at| at <= (self.now)().seconds())
    }

    /// The table's name.
    pub fn table(&self) -> &str {
        &self.table
    }

    /// Reads one item strongly. None if the item does not exist. Errors if it can't be read.
    async fn get<T: DeserializeOwned>(&self, key: &TableKey) -> Result<Option<T>, StoreError> {
        self.get_item(key).await?.map(|item| self.read(item)).transpose()
    }

    /// Reads one item strongly, with its due time. None if the item does not exist. Errors if it can't be read.
    async fn get_with_due<T: DeserializeOwned>(&self, key: &TableKey) -> Result<Option<(T, Option<Due>)>, StoreError> {
        let Some(item) = self.get_item(key).await? else { return Ok(None) };
        let due = Due::of(&item);
        Ok(Some((self.read(item)?, due)))
    }

    async fn get_item(&self, key: &TableKey) -> Result<Option<Item>, StoreError> {
        Ok(self.get_even_if_expired(key).await?.filter(|item| !self.has_expired(item)))
    }

    async fn get_even_if_expired(&self, key: &TableKey) -> Result<Option<Item>, StoreError> {
        let request =
            self.client.get_item().table_name(&self.table).consistent_read(true).set_key(Some(key.attributes()));
        Ok(request.send().await.map_err(StoreError::from_sdk)?.item)
    }

    /// Creates an item. Returns the existing item if the key is taken.
    async fn create_item<T: DeserializeOwned>(&self, item: Item) -> Result<Created<T>, StoreError> {
        let commit = Commit::new().create(item, |store, found| store.read(found))?;
        self.commit(commit).await.map(Created::from)
    }

    /// Waits a random time before the next try of a batch: at most 256 ms after attempt 0, doubled with each further
    /// attempt, up to 4 s.
    async fn back_off(&self, attempt: u32) {
        let mut random = [0];
        (self.random)(&mut random);
        self.sleep.sleep(Duration::from_millis((u64::from(random[0]) + 1) << attempt.min(4))).await;
    }

    /// Random bytes in hexadecimal digits.
    fn random_text<const BYTES: usize>(&self) -> String {
        let mut bytes = [0; BYTES];
        (self.random)(&mut bytes);
        hex(&bytes)
    }
}

impl<T> From<Committed<T>> for Created<T> {
    fn from(committed: Committed<T>) -> Created<T> {
        match committed {
            Committed::Done => Created::New,
            Committed::Refused(existing) => Created::Existing(existing),
        }
    }
}

fn text(value: impl Into<String>) -> AttributeValue {
    AttributeValue::S(value.into())
}

fn number(value: impl fmt::Display) -> AttributeValue {
    AttributeValue::N(value.to_string())
}

/// Returns the item of a value at its key.
fn to_item(key: &TableKey, value: &impl Serialize) -> Result<Item, StoreError> {
    let item: Item = serde_dynamo::to_item(value).map_err(|error| StoreError::Corrupt(error.to_string()))?;
    // A missing attribute costs nothing and reads as `None`.
    let mut item: Item = item.into_iter().filter(|(_, value)| !matches!(value, AttributeValue::Null(_))).collect();
    item.extend(key.attributes());
    item.insert("schema".to_owned(), number(SCHEMA));
    Ok(item)
}

/// Returns a value in the form of one attribute.
fn attribute(value: &impl Serialize) -> Result<AttributeValue, StoreError> {
    let attribute = serde_dynamo::to_attribute_value(value);
    attribute.map_err(|error: serde_dynamo::Error| StoreError::Corrupt(error.to_string()))
}
