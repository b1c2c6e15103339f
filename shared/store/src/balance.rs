//! Balances and movements.

use std::collections::{BTreeMap, HashMap};

use aws_sdk_dynamodb::types::{DeleteRequest, WriteRequest};
use futures::future::try_join_all;
use serde::{Deserialize, Serialize};
use spillway_domain::balance::{Balance, FOLD_MAX, Fold, SHARDS_PER_PART, parts};
use spillway_domain::currency::Currency;
use spillway_domain::id::ObjectId;
use spillway_domain::ledger::{JournalEntry, Movement, MovementKey};
use spillway_domain::money::Minor;
use spillway_domain::tenant::Tenant;
use spillway_domain::time::{Day, Timestamp};

use super::due::Due;
use super::edit::Edit;
use super::expression::Test;
use super::{Item, Readable, Store, StoreError, TableKey, keys, number, to_item};

/// DynamoDB's limit: requests of one BatchWriteItem.
const BATCH_MAX: usize = 25;
/// Tries of one batch while the store leaves requests unprocessed.
const BATCH_TRIES: u32 = 8;

/// One part of a balance: its currency and the part's number, and the amounts of the part.
pub type BalancePart = ((Currency, u16), Balance);

/// The attributes of a new movement. The other data is in its key.
#[derive(Serialize)]
struct NewMovement<'a> {
    amount: Minor,
    source: &'a ObjectId,
    request_id: &'a str,
}

/// The attributes of a movement that a balance needs: its key and its amount.
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

/// The attributes that a fold replaces in a balance.
#[derive(Serialize)]
struct Replaced<'a> {
    pending: &'a BTreeMap<Day, Minor>,
    /// The movements that the stored fold has already added.
    folding: &'a [MovementKey],
    seq: u64,
}

impl Store {
    /// One part of a balance with its due time, read strongly. Returns the empty balance if nothing was folded yet.
    pub async fn balance(
        &self, tenant: &Tenant, currency: Currency, part: u16,
    ) -> Result<(Balance, Option<Due>), StoreError> {
        Ok(self.get_with_due(&keys::balance(tenant, currency, part)).await?.unwrap_or((Balance::EMPTY, None)))
    }

    /// All parts of all balances of a tenant over `shards` shards, read strongly. Parts that can't be read are returned
    /// as currency codes.
    pub async fn balances(&self, tenant: &Tenant, shards: u16) -> Result<Readable<BalancePart>, StoreError> {
        let partitions: Vec<(u16, String)> =
            (0..parts(shards)).map(|part| (part, keys::balances(tenant, part))).collect();
        let reads = partitions.iter().map(|(part, partition)| {
            let read = |item| self.read(item).map(|read: StoredBalance| ((read.sk, *part), read.balance));
            self.query(partition, "", None, read)
        });
        let read = try_join_all(reads).await?.into_iter().fold(Readable::NONE, Readable::and);
        Ok(read.naming(keys::currency_of_balance))
    }

    /// All movements of a tenant over `shards` shards, read strongly. Movements that can't be read are returned as
    /// currency codes.
    pub async fn movements(&self, tenant: &Tenant, shards: u16) -> Result<Readable<Movement>, StoreError> {
        let shards: Vec<String> = (0..shards).map(|shard| keys::movements(tenant, shard)).collect();
        let reads = shards
            .iter()
            .map(|shard| self.query(shard, keys::MOVEMENT_PREFIX, None, |item| self.movement(tenant, item)));
        let read = try_join_all(reads).await?.into_iter().fold(Readable::NONE, Readable::and);
        Ok(read.naming(keys::currency_of_movement))
    }

    /// Movements for the next fold of one part of a balance: from each of the part's shards the readable movements with
    /// the oldest value dates. `folding` names the movements that the last fold has already added, whose items may
    /// still exist. From each shard it reads 2 × [`FOLD_MAX`] / [`SHARDS_PER_PART`] movements, plus one for each
    /// movement of `folding` there, because those may come first. The caller removes them with [`Balance::unfolded`].
    pub async fn oldest_movements(
        &self, tenant: &Tenant, currency: Currency, part: u16, folding: &[MovementKey],
    ) -> Result<Vec<Movement>, StoreError> {
        let mut already_folded: HashMap<String, usize> = HashMap::new();
        for key in folding {
            *already_folded.entry(keys::movement(tenant, key).pk).or_default() += 1;
        }
        let share = (2 * FOLD_MAX).div_ceil(usize::from(SHARDS_PER_PART));
        let prefix = keys::movements_of(currency);
        let first = part.saturating_mul(SHARDS_PER_PART);
        let shards = (first..first.saturating_add(SHARDS_PER_PART)).map(|shard| {
            let partition = keys::movements(tenant, shard);
            let limit = share + already_folded.get(&partition).copied().unwrap_or_default();
            (partition, limit)
        });
        let shards: Vec<(String, usize)> = shards.collect();
        let reads = shards
            .iter()
            .map(|(partition, limit)| self.query(partition, &prefix, Some(*limit), |item| self.movement(tenant, item)));
        Ok(try_join_all(reads).await?.into_iter().flat_map(|shard| shard.items).collect())
    }

    /// Reads a movement. Errors if the item is in another partition than its entry's id names. A fold computes the key to
    /// delete from the entry's id, so it would never delete this item and would add its amount again and again.
    fn movement(&self, tenant: &Tenant, item: Item) -> Result<Movement, StoreError> {
        let place = TableKey::of(&item);
        let stored: StoredMovement = self.read(item)?;
        let key = stored.sk.strip_prefix(keys::MOVEMENT_PREFIX).and_then(MovementKey::parse);
        match key.filter(|key| place.as_ref() == Some(&keys::movement(tenant, key))) {
            Some(key) => Ok(Movement { key, amount: stored.amount }),
            None => Err(self.unreadable(place, "not the key of a movement in this place")),
        }
    }

    /// Deletes movements that a balance already includes. Errors if one may be left.
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

    /// Writes a whole batch. Requests that a throttled store leaves unprocessed are sent again after a growing random
    /// wait. Errors if some are left after [`BATCH_TRIES`] tries.
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

    /// Adds a fold to its part of a balance. Condition: no other fold was added since the part was read; false if one was.
    /// Attributes that other writes have changed keep their values.
    pub async fn fold(
        &self, tenant: &Tenant, currency: Currency, part: u16, fold: &Fold, due_at: Timestamp,
    ) -> Result<bool, StoreError> {
        let key = keys::balance(tenant, currency, part);
        let replaced = Replaced { pending: &fold.pending, folding: &fold.folding, seq: fold.seq };
        let item = to_item(&key, &replaced)?.into_iter().chain(self.due(&key, due_at)).collect();
        let edit = Edit::between(&Item::new(), &item, &[]).add("available", fold.due.units());
        let unchanged = match fold.from_seq {
            0 => Test::Lacks("seq"),
            from => Test::is("seq", number(from)),
        };
        self.edit(&key, edit, vec![unchanged]).await
    }

    /// Moves the due time of a balance to `due_at`, because nothing is left to fold. It does so only if a sweep has
    /// claimed the balance, and only if the due time is still `due`, which was read with the balance.
    pub async fn settle_due(
        &self, tenant: &Tenant, currency: Currency, part: u16, due: Option<&Due>, due_at: Timestamp,
    ) -> Result<(), StoreError> {
        let Some(due) = due.filter(|due| due.is_claimed()) else { return Ok(()) };
        let key = keys::balance(tenant, currency, part);
        let edit = Edit::new().set_all(self.due(&key, due_at));
        self.edit(&key, edit, vec![Test::is("due_at", due.seen())]).await.map(drop)
    }
}

/// Returns the item of a new movement.
pub(super) fn movement_item(tenant: &Tenant, entry: &JournalEntry, movement: &Movement) -> Result<Item, StoreError> {
    let new = NewMovement { amount: movement.amount, source: &entry.source, request_id: &entry.request_id };
    to_item(&keys::movement(tenant, &movement.key), &new)
}
