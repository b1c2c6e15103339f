//! Balances and movements.

use std::collections::{BTreeMap, HashMap};

use aws_sdk_dynamodb::types::{DeleteRequest, WriteRequest};
use futures::future::try_join_all;
use serde::{Deserialize, Serialize};
use spillway_domain::balance::{Balance, FOLD_MAX, Fold};
use spillway_domain::currency::Currency;
use spillway_domain::id::PaymentId;
use spillway_domain::ledger::{JournalEntry, Movement, MovementKey};
use spillway_domain::money::Minor;
use spillway_domain::tenant::Tenant;
use spillway_domain::time::{Day, Timestamp};

use super::difference::Difference;
use super::due::{Due, DueSpace};
use super::{Item, Key, Readable, Store, StoreError, keys, number, text, to_item};

/// Most requests of one BatchWriteItem.
const BATCH_MAX: usize = 25;
/// Tries of one batch while the store leaves some of it over.
const BATCH_TRIES: u32 = 8;

/// A movement as it is written. Its key holds the rest.
#[derive(Serialize)]
struct NewMovement<'a> {
    amount: Minor,
    source: &'a PaymentId,
    request_id: &'a str,
}

/// A movement as it is read: a balance needs its key and its amount, and nothing of its cause.
#[derive(Deserialize)]
struct StoredMovement {
    sk: String,
    amount: Minor,
}

#[derive(Deserialize)]
struct StoredBalance {
    sk: Currency,
    #[serde(flatten)]
    balance: Balance,
}

/// What a fold replaces in a balance.
#[derive(Serialize)]
struct Replaced<'a> {
    pending: &'a BTreeMap<Day, Minor>,
    folding: &'a [MovementKey],
    seq: u64,
}

impl Store {
    /// A balance with its due time, read strongly; the empty one where nothing was folded yet.
    pub async fn balance(&self, tenant: &Tenant, currency: Currency) -> Result<(Balance, Option<Due>), StoreError> {
        Ok(self.get_with_due(&keys::balance(tenant, currency)).await?.unwrap_or((Balance::EMPTY, None)))
    }

    /// All balances of a tenant, read strongly; of those that can't be read, the currencies' codes.
    pub async fn balances(&self, tenant: &Tenant) -> Result<Readable<(Currency, Balance)>, StoreError> {
        let read = |item| self.read(item).map(|read: StoredBalance| (read.sk, read.balance));
        let read = self.query(&keys::balances(tenant), "", None, read).await?;
        Ok(read.naming(keys::currency_of_balance))
    }

    /// All movements of a tenant over `shards` shards, read strongly; of those that can't be read, the currencies' codes.
    pub async fn movements(&self, tenant: &Tenant, shards: u16) -> Result<Readable<Movement>, StoreError> {
        let shards: Vec<String> = (0..shards).map(|shard| keys::movements(tenant, shard)).collect();
        let reads = shards
            .iter()
            .map(|shard| self.query(shard, keys::MOVEMENT_PREFIX, None, |item| self.movement(tenant, item)));
        let read = try_join_all(reads).await?.into_iter().fold(Readable::NONE, Readable::and);
        Ok(read.naming(keys::currency_of_movement))
    }

    /// Movements of one currency for the fold after the one that took `folding`: the oldest value dates of each shard, as
    /// many as make a full fold together even if some shards hold fewer, and none only if none is left that can be read.
    pub async fn oldest_movements(
        &self, tenant: &Tenant, shards: u16, currency: Currency, folding: &[MovementKey],
    ) -> Result<Vec<Movement>, StoreError> {
        // Those of the last fold may still be there, in front of the others.
        let mut still_there: HashMap<String, usize> = HashMap::new();
        for key in folding {
            *still_there.entry(keys::movement(tenant, key).pk).or_default() += 1;
        }
        let share = (2 * FOLD_MAX).div_ceil(usize::from(shards.max(1)));
        let prefix = keys::movements_of(currency);
        let shards = (0..shards).map(|shard| {
            let partition = keys::movements(tenant, shard);
            let limit = share + still_there.get(&partition).copied().unwrap_or_default();
            (partition, limit)
        });
        let shards: Vec<(String, usize)> = shards.collect();
        let reads = shards
            .iter()
            .map(|(partition, limit)| self.query(partition, &prefix, Some(*limit), |item| self.movement(tenant, item)));
        Ok(try_join_all(reads).await?.into_iter().flat_map(|shard| shard.items).collect())
    }

    /// Reads a movement. An item in another partition than its entry's id names is an error: a fold would add it, delete
    /// nothing, and add it again.
    fn movement(&self, tenant: &Tenant, item: Item) -> Result<Movement, StoreError> {
        let place = Key::of(&item);
        let stored: StoredMovement = self.read(item)?;
        let key = stored.sk.strip_prefix(keys::MOVEMENT_PREFIX).and_then(MovementKey::parse);
        match key.filter(|key| place.as_ref() == Some(&keys::movement(tenant, key))) {
            Some(key) => Ok(Movement { key, amount: stored.amount }),
            None => Err(self.unreadable(place, "not the key of a movement in this place")),
        }
    }

    /// Deletes movements that a balance holds already. All of them, or an error.
    pub async fn delete_movements(&self, tenant: &Tenant, folded: &[MovementKey]) -> Result<(), StoreError> {
        for batch in folded.chunks(BATCH_MAX) {
            let mut requests = Vec::with_capacity(batch.len());
            for key in batch {
                let delete = DeleteRequest::builder().set_key(Some(keys::movement(tenant, key).attributes()));
                let delete = delete.build().map_err(StoreError::incomplete)?;
                requests.push(WriteRequest::builder().delete_request(delete).build());
            }
            self.batch_write(requests).await?;
        }
        Ok(())
    }

    /// Writes a batch to its end: what a throttled store leaves over is sent again, later each time and not all at the
    /// same time.
    async fn batch_write(&self, mut requests: Vec<WriteRequest>) -> Result<(), StoreError> {
        for attempt in 0..BATCH_TRIES {
            let answer = self.client.batch_write_item().request_items(&self.table, requests).send().await;
            let left = answer.map_err(StoreError::from_sdk)?.unprocessed_items.unwrap_or_default();
            requests = left.into_values().flatten().collect();
            if requests.is_empty() {
                return Ok(());
            }
            self.back_off(attempt).await;
        }
        Err(StoreError::Unavailable("deletions were left over".to_owned()))
    }

    /// Adds a fold to its balance. Guard: nobody folded since it was read. False if somebody did. What other writes changed
    /// since then stays.
    pub async fn fold(
        &self, tenant: &Tenant, currency: Currency, fold: &Fold, due_at: Timestamp,
    ) -> Result<bool, StoreError> {
        let key = keys::balance(tenant, currency);
        let replaced = Replaced { pending: &fold.pending, folding: &fold.folding, seq: fold.seq };
        let mut item = to_item(&key, &replaced)?;
        self.set_due(&mut item, DueSpace::Money, &key, due_at);
        let difference = Difference::between(&Item::new(), &item, &[]);
        let update = self
            .update(&key)
            .update_expression(format!("{} ADD available :available", difference.expression()))
            .set_expression_attribute_names(Some(difference.names))
            .set_expression_attribute_values(Some(difference.values))
            .expression_attribute_values(":available", number(fold.due.units()));
        // The write breaks its own condition, so that a repetition adds nothing.
        let update = if fold.from_seq == 0 {
            update.condition_expression("attribute_not_exists(seq)")
        } else {
            update.condition_expression("seq = :from").expression_attribute_values(":from", number(fold.from_seq))
        };
        self.write(update).await
    }

    /// Nothing is left to fold: the due time of a balance that a sweep has claimed becomes `due_at`, the next day. `due`
    /// is the due time that was read with the balance; one that was set since stays.
    pub async fn settle_due(
        &self, tenant: &Tenant, currency: Currency, due: Option<&Due>, due_at: Timestamp,
    ) -> Result<(), StoreError> {
        let Some(due) = due.filter(|due| due.is_claimed()) else { return Ok(()) };
        let update = self
            .update(&keys::balance(tenant, currency))
            .update_expression("SET due_at = :due_at, due_claims = :none")
            .condition_expression("due_at = :seen")
            .expression_attribute_values(":due_at", text(due_at.to_string()))
            .expression_attribute_values(":none", number(0))
            .expression_attribute_values(":seen", due.seen());
        self.write(update).await.map(drop)
    }
}

/// The item of a new movement.
pub(super) fn movement_item(tenant: &Tenant, entry: &JournalEntry, movement: &Movement) -> Result<Item, StoreError> {
    let new = NewMovement { amount: movement.amount, source: &entry.source, request_id: &entry.request_id };
    to_item(&keys::movement(tenant, &movement.key), &new)
}
