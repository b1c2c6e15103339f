//! Balances and movements.

use aws_sdk_dynamodb::types::{AttributeValue, DeleteRequest, WriteRequest};
use futures::future::try_join_all;
use futures::{StreamExt as _, TryStreamExt as _, stream};
use serde::{Deserialize, Serialize};
use spillway_domain::balance::{Balance, FOLD_MAX, Fold, SHARDS_PER_PART, Seen, parts};
use spillway_domain::currency::Currency;
use spillway_domain::id::{ObjectId, shard_of};
use spillway_domain::ledger::{JournalEntry, Movement, MovementKey};
use spillway_domain::merchant::Merchant;
use spillway_domain::money::Minor;
use spillway_domain::tenant::{Mode, Tenant};
use spillway_domain::time::Timestamp;

use super::commit::Commit;
use super::due::Due;
use super::edit::Edit;
use super::expression::{Comparison, Test};
use super::{Item, Readable, Store, StoreError, TableKey, keys, number, text, to_item};

/// DynamoDB's limit: requests of one BatchWriteItem.
const BATCH_MAX: usize = 25;
/// Tries of one batch while the store leaves requests unprocessed.
const BATCH_TRIES: u32 = 8;

/// The most movements of one page. The balance is read between two pages, so pages are small: few folds fit in between.
const PAGE_MAX: usize = 1_000;
/// Writes at the same time.
const AT_ONCE: usize = 16;
/// The amount that a fold adds to. It never sets it.
const AVAILABLE: &str = "available";
/// Each part of a balance is due once a day, at 00:15 UTC plus 0 to 3,599 s. A hash of its key chooses the second.
const DAILY_SPREAD_S: u16 = 3_600;
/// Milliseconds from midnight UTC to 00:15.
const DAILY_MS: i64 = 15 * 60 * 1000;

/// The attributes of a new movement. The other data is in its key.
#[derive(Serialize)]
struct NewMovement<'a> {
    amount: Minor,
    source: &'a ObjectId,
    request_id: &'a str,
}

#[derive(Deserialize)]
struct StoredBalance {
    sk: Currency,
    #[serde(flatten)]
    balance: Balance,
}

impl Store {
    /// One part of a balance with its due time, read strongly. Returns the empty balance if nothing was folded yet.
    pub async fn balance(
        &self, tenant: &Tenant, currency: Currency, part: u16,
    ) -> Result<(Balance, Option<Due>), StoreError> {
        Ok(self.get_with_due(&keys::balance(tenant, currency, part)).await?.unwrap_or((Balance::EMPTY, None)))
    }

    /// One part of all balances of a tenant, read strongly. Balances that can't be read are returned as currency codes.
    pub async fn balances(&self, tenant: &Tenant, part: u16) -> Result<Readable<(Currency, Balance)>, StoreError> {
        let read = |item| self.read(item).map(|read: StoredBalance| (read.sk, read.balance));
        let read = self.query(&keys::balances(tenant, part), "", None, read).await?;
        Ok(read.naming(keys::currency_of_balance))
    }

    /// Creates the balances of a merchant that do not exist yet, in both modes: each part in each of its currencies. So
    /// a balance has a due time before its first movement.
    pub async fn create_balances(&self, merchant: &Merchant) -> Result<(), StoreError> {
        let mut missing = Vec::new();
        for mode in Mode::ALL {
            let tenant = Tenant { merchant: merchant.id.clone(), mode: *mode };
            for currency in merchant.currencies.keys() {
                let all = (0..parts(merchant.shards.largest())).map(|part| keys::balance(&tenant, *currency, part));
                missing.extend(all);
            }
        }
        let created = stream::iter(missing).map(|key| self.create_balance(key)).buffer_unordered(AT_ONCE);
        created.try_collect().await
    }

    async fn create_balance(&self, key: TableKey) -> Result<(), StoreError> {
        let item = to_item(&key, &Balance::EMPTY)?.into_iter().chain(self.next_due(&key)).collect();
        let commit = Commit::new().create(item, |_, _| Ok(()))?;
        self.commit(commit).await.map(drop)
    }

    /// At most [`PAGE_MAX`] of a shard's movements, in the order of their keys, read strongly. They begin behind the last
    /// one of `before`, the page before.
    pub async fn movements(&self, tenant: &Tenant, shard: u16, before: Option<&Seen>) -> Result<Seen, StoreError> {
        let behind = before.and_then(|seen| seen.up_to.as_deref());
        self.page_of_movements(tenant, shard, keys::MOVEMENT_PREFIX, PAGE_MAX, behind).await
    }

    /// Movements for the next fold of one part of a balance: from each of the part's shards those with the oldest value
    /// dates, together a third more than [`FOLD_MAX`]. Movements that `folding` names may come first, so one more is read
    /// for each of them. Movements that can't be read do not count.
    pub async fn oldest_movements(
        &self, tenant: &Tenant, currency: Currency, part: u16, folding: &[MovementKey],
    ) -> Result<Vec<Seen>, StoreError> {
        // A third more than its share of a full fold, because shards are not equally full.
        let share = (FOLD_MAX * 4).div_ceil(usize::from(SHARDS_PER_PART) * 3);
        let first = part.saturating_mul(SHARDS_PER_PART);
        let shards = (first..first.saturating_add(SHARDS_PER_PART)).map(|shard| {
            let named = folding.iter().filter(|key| key.entry.shard() == shard).count();
            self.oldest_movements_of(tenant, currency, shard, share + named)
        });
        try_join_all(shards).await
    }

    async fn oldest_movements_of(
        &self, tenant: &Tenant, currency: Currency, shard: u16, limit: usize,
    ) -> Result<Seen, StoreError> {
        let prefix = keys::movements_of(currency);
        let mut seen = self.page_of_movements(tenant, shard, &prefix, limit, None).await?;
        while seen.movements.len() < limit {
            let Some(behind) = seen.up_to.take() else { break };
            let left = limit - seen.movements.len();
            let next = self.page_of_movements(tenant, shard, &prefix, left, Some(&behind)).await?;
            seen.movements.extend(next.movements);
            seen.unreadable.extend(next.unreadable);
            seen.up_to = next.up_to;
        }
        Ok(seen)
    }

    /// One page of a shard's movements whose sort keys begin with `prefix`, behind the movement key `behind`. Reads only
    /// the attributes that a balance needs.
    async fn page_of_movements(
        &self, tenant: &Tenant, shard: u16, prefix: &str, limit: usize, behind: Option<&str>,
    ) -> Result<Seen, StoreError> {
        let pk = keys::movements(tenant, shard);
        let at = |key: &str| TableKey { pk: pk.clone(), sk: format!("{}{key}", keys::MOVEMENT_PREFIX) };
        let request = self.client.query().table_name(&self.table).consistent_read(true);
        let page = request
            .key_condition_expression("pk = :pk AND begins_with(sk, :prefix)")
            .expression_attribute_values(":pk", text(&pk))
            .expression_attribute_values(":prefix", text(prefix))
            .projection_expression("sk, amount")
            .limit(i32::try_from(limit).unwrap_or(i32::MAX))
            .set_exclusive_start_key(behind.map(|behind| at(behind).attributes()))
            .send()
            .await
            .map_err(StoreError::from_sdk)?;
        let mut seen = Seen { shard, ..Seen::default() };
        seen.up_to =
            page.last_evaluated_key.as_ref().and_then(TableKey::of).map(|last| movement_text(&last.sk).to_owned());
        for item in page.items.unwrap_or_default() {
            let sk = item.get("sk").and_then(|sk| sk.as_s().ok()).map_or("", String::as_str);
            match movement(shard, sk, &item) {
                Some(movement) => seen.movements.push(movement),
                None => {
                    let key = TableKey { pk: pk.clone(), sk: sk.to_owned() };
                    self.unreadable(Some(key), "not a movement, or in another place than its entry's id names");
                    seen.unreadable.push(movement_text(sk).to_owned());
                }
            }
        }
        Ok(seen)
    }

    /// Deletes movements that a balance already includes. Errors if one may be left.
    pub async fn delete_movements(&self, tenant: &Tenant, folded: &[MovementKey]) -> Result<(), StoreError> {
        let mut batches = Vec::with_capacity(folded.len().div_ceil(BATCH_MAX));
        for batch in folded.chunks(BATCH_MAX) {
            let mut requests = Vec::with_capacity(batch.len());
            for key in batch {
                let delete = DeleteRequest::builder().set_key(Some(keys::movement(tenant, key).attributes()));
                let delete = delete.build().map_err(StoreError::incomplete)?;
                requests.push(WriteRequest::builder().delete_request(delete).build());
            }
            batches.push(self.batch_write(requests));
        }
        stream::iter(batches).buffer_unordered(AT_ONCE).try_collect().await
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

    /// Adds a fold to its part of a balance, and makes the part due the next day. Condition: no other fold was added
    /// since the part was read; false if one was. Attributes that other writes have changed keep their values.
    pub async fn fold(&self, tenant: &Tenant, currency: Currency, part: u16, fold: &Fold) -> Result<bool, StoreError> {
        let key = keys::balance(tenant, currency, part);
        let mut item = to_item(&key, &fold.after)?;
        item.remove(AVAILABLE);
        item.extend(self.next_due(&key));
        let edit = Edit::between(&Item::new(), &item, &[]).add(AVAILABLE, fold.due.units());
        self.edit(&key, edit, vec![folded_so_often(fold.from_seq)]).await
    }

    /// Moves the due time of a balance to the next day, because nothing is left to fold. It does so only if a sweep has
    /// claimed the balance, and only if the due time is still `due`, which was read with the balance.
    pub async fn settle_due(
        &self, tenant: &Tenant, currency: Currency, part: u16, due: Option<&Due>,
    ) -> Result<(), StoreError> {
        let Some(due) = due.filter(|due| due.is_claimed()) else { return Ok(()) };
        let key = keys::balance(tenant, currency, part);
        let edit = Edit::new().set_all(self.next_due(&key));
        self.edit(&key, edit, vec![Test::is("due_at", due.seen())]).await.map(drop)
    }

    /// The next daily due time of a part of a balance, as attributes.
    fn next_due(&self, key: &TableKey) -> Vec<(String, AttributeValue)> {
        self.due(key, next_due_at(key, (self.now)()))
    }
}

/// The next daily due time of the part of a balance with this key.
fn next_due_at(key: &TableKey, now: Timestamp) -> Timestamp {
    let spread_s = shard_of(&format!("{}#{}", key.pk, key.sk), DAILY_SPREAD_S);
    now.day().plus_days(1).start().plus_millis(DAILY_MS).plus_seconds(u32::from(spread_s))
}

/// The test that a part of a balance was folded so often. A part that was never folded counts 0 folds, or has no count.
pub(super) fn folded_so_often(seq: u64) -> Test {
    match seq {
        0 => Test::LacksOrCompares("seq", Comparison::Is, number(0)),
        seq => Test::is("seq", number(seq)),
    }
}

/// The text of the movement key in a sort key.
fn movement_text(sk: &str) -> &str {
    sk.strip_prefix(keys::MOVEMENT_PREFIX).unwrap_or(sk)
}

/// Reads a movement of a shard. None if it can't be read, or if its place is not the one that its entry's id names. A
/// fold computes the key to delete from the entry's id, so it would never delete such an item and would add its amount
/// again and again.
fn movement(shard: u16, sk: &str, item: &Item) -> Option<Movement> {
    let text = movement_text(sk);
    let key = MovementKey::parse(text).filter(|key| key.entry.shard() == shard && key.to_string() == text)?;
    let units = item.get("amount")?.as_n().ok()?.parse().ok()?;
    Some(Movement { key, amount: Minor::new(units) })
}

/// Returns the item of a new movement.
pub(super) fn movement_item(tenant: &Tenant, entry: &JournalEntry, movement: &Movement) -> Result<Item, StoreError> {
    let new = NewMovement { amount: movement.amount, source: &entry.source, request_id: &entry.request_id };
    to_item(&keys::movement(tenant, &movement.key), &new)
}

#[cfg(test)]
mod tests {
    use spillway_domain::id::MerchantId;

    use super::*;

    #[test]
    fn a_balance_is_due_the_next_day_from_a_quarter_past_midnight() {
        let pk = format!("{}#test#balances", MerchantId::derive(&["m"]));
        let now = Timestamp::parse("2026-01-31T23:59:59Z").unwrap();
        let due_at = next_due_at(&TableKey { pk, sk: "USD".to_owned() }, now);
        assert!(due_at >= Timestamp::parse("2026-02-01T00:15:00Z").unwrap());
        assert!(due_at < Timestamp::parse("2026-02-01T01:15:00Z").unwrap());
    }
}
