//! Balances and movements.

use std::collections::HashMap;

use aws_sdk_dynamodb::types::{DeleteRequest, WriteRequest};
use futures::future::try_join_all;
use serde::{Deserialize, Serialize};
use spillway_domain::balance::{Balance, FOLD_MAX};
use spillway_domain::currency::Currency;
use spillway_domain::id::PaymentId;
use spillway_domain::ledger::{JournalEntry, Movement, MovementKey};
use spillway_domain::money::Minor;
use spillway_domain::tenant::Tenant;
use spillway_domain::time::Timestamp;

use super::due::DueSpace;
use super::{Item, Store, StoreError, from_item, keys, number, text, to_item};

/// Most requests of one BatchWriteItem.
const BATCH_MAX: usize = 25;
/// Tries of one batch while the store leaves some of it over.
const BATCH_TRIES: u32 = 8;

/// A movement as stored. Its key holds the rest.
#[derive(Serialize, Deserialize)]
struct StoredMovement {
    amount: Minor,
    source: PaymentId,
    request_id: String,
}

#[derive(Deserialize)]
struct StoredBalance {
    sk: Currency,
    #[serde(flatten)]
    balance: Balance,
}

impl Store {
    /// A balance, read strongly; the default one where nothing was folded yet.
    pub async fn balance(&self, tenant: &Tenant, currency: Currency) -> Result<Balance, StoreError> {
        Ok(self.get(&keys::balance(tenant, currency)).await?.unwrap_or_default())
    }

    /// All balances of a tenant, read strongly.
    pub async fn balances(&self, tenant: &Tenant) -> Result<Vec<(Currency, Balance)>, StoreError> {
        let items = self.query(&keys::balances(tenant), "", None).await?;
        items.into_iter().map(|item| from_item(item).map(|read: StoredBalance| (read.sk, read.balance))).collect()
    }

    /// All movements of a tenant over `shards` shards, read strongly.
    pub async fn movements(&self, tenant: &Tenant, shards: u16) -> Result<Vec<Movement>, StoreError> {
        let shards: Vec<String> = (0..shards).map(|shard| keys::movements(tenant, shard)).collect();
        let pages = try_join_all(shards.iter().map(|shard| self.query(shard, keys::MOVEMENT_PREFIX, None))).await?;
        pages.into_iter().flatten().map(movement).collect()
    }

    /// Movements of one currency for the fold after the one that took `folding`: the oldest value dates of each shard, as
    /// many as make a full fold together even if some shards hold fewer, and none only if none is left.
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
        let pages = shards.iter().map(|(partition, limit)| self.query(partition, &prefix, Some(*limit)));
        try_join_all(pages).await?.into_iter().flatten().map(movement).collect()
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

    /// Replaces a balance by the folded one. Guard: nobody folded since it was read. False if somebody did.
    pub async fn fold(
        &self, tenant: &Tenant, currency: Currency, before: &Balance, after: &Balance, due_at: Timestamp,
    ) -> Result<bool, StoreError> {
        let key = keys::balance(tenant, currency);
        let mut item: Item = to_item(&key, after)?;
        self.set_due(&mut item, DueSpace::Money, &key, due_at);
        let put = self.client.put_item().table_name(&self.table).set_item(Some(item));
        let put = if before.seq == 0 {
            put.condition_expression("attribute_not_exists(pk)")
        } else {
            put.condition_expression("seq = :seq").expression_attribute_values(":seq", number(before.seq))
        };
        self.put(put).await
    }

    /// Nothing is left to fold: the balance is looked at again the next day. (A balance that nothing was ever folded
    /// into has no item, and no due time.)
    pub async fn settle_due(
        &self, tenant: &Tenant, currency: Currency, balance: &Balance, due_at: Timestamp,
    ) -> Result<(), StoreError> {
        if balance.seq == 0 {
            return Ok(());
        }
        let update = self
            .update(&keys::balance(tenant, currency))
            .update_expression("SET due_at = :due_at, due_claims = :none")
            .condition_expression("seq = :seq AND due_claims > :none")
            .expression_attribute_values(":due_at", text(due_at.to_string()))
            .expression_attribute_values(":none", number(0))
            .expression_attribute_values(":seq", number(balance.seq));
        self.write(update).await.map(|_| ())
    }
}

/// The item of a new movement.
pub(super) fn movement_item(tenant: &Tenant, entry: &JournalEntry, movement: &Movement) -> Result<Item, StoreError> {
    let stored =
        StoredMovement { amount: movement.amount, source: entry.source.clone(), request_id: entry.request_id.clone() };
    to_item(&keys::movement(tenant, &movement.key), &stored)
}

fn movement(item: Item) -> Result<Movement, StoreError> {
    let sk = item.get("sk").and_then(|sk| sk.as_s().ok()).cloned().unwrap_or_default();
    let stored: StoredMovement = from_item(item)?;
    let key = sk.strip_prefix(keys::MOVEMENT_PREFIX).and_then(MovementKey::parse);
    let key = key.ok_or_else(|| StoreError::Corrupt(format!("movement {sk}")))?;
    Ok(Movement { key, amount: stored.amount })
}
