//! The index `due` of unfinished items. A write that leaves an item unfinished sets its due time, and the write that
//! finishes the item removes it. A balance is never finished: each fold sets its next daily due time. The sweep enqueues
//! overdue items.

use aws_sdk_dynamodb::types::AttributeValue;
use spillway_domain::time::Timestamp;

use super::edit::Edit;
use super::expression::{Comparison, Test};
use super::kinds::due_group;
use super::{EXPIRES_AT, Item, Store, StoreError, TableKey, WorkItem, keys, number, text};

/// The attributes of a due time: its partition of the index, the time, and the number of claims since it was set.
pub(super) const DUE: [&str; 3] = ["due", "due_at", "due_claims"];
/// The longest time, in milliseconds, by which a claim moves the due time: one day.
const CLAIM_MS_MAX: i64 = 86_400_000;

/// A due group: items with due times that are swept together. The three groups are swept separately, so that a dead
/// endpoint's backlog does not delay payments.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DueGroup {
    /// Payments, refunds and balances.
    Money,
    /// Events.
    Events,
    /// Deliveries.
    Deliveries,
}

impl DueGroup {
    /// All groups, the most important first.
    pub const ALL: [DueGroup; 3] = [DueGroup::Money, DueGroup::Events, DueGroup::Deliveries];

    /// Partitions of the index over which the group is spread. Never lower it: items in the removed partitions would no
    /// longer be swept.
    pub fn shards(self) -> u16 {
        match self {
            DueGroup::Money | DueGroup::Events | DueGroup::Deliveries => 64,
        }
    }

    /// The group's name in keys.
    pub fn as_str(self) -> &'static str {
        match self {
            DueGroup::Money => "money",
            DueGroup::Events => "events",
            DueGroup::Deliveries => "deliveries",
        }
    }
}

/// The due time of an item, as it was read with the item. The write that finishes the item removes only this due time,
/// not one that another write has set since.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Due {
    /// The stored text. Text that is no valid time can be compared too.
    at: String,
    claims: u32,
}

impl Due {
    pub(super) fn of(item: &Item) -> Option<Due> {
        Some(Due { at: item.get("due_at")?.as_s().ok()?.clone(), claims: claims(item) })
    }

    /// Whether the sweep has claimed the item since its due time was set.
    pub fn is_claimed(&self) -> bool {
        self.claims > 0
    }

    /// The stored value, for a condition on the attribute `due_at`.
    pub(super) fn seen(&self) -> AttributeValue {
        text(&self.at)
    }
}

/// An unfinished item, as the index shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unfinished {
    /// The item, as its message names it.
    pub item: WorkItem,
    due: Due,
}

impl Unfinished {
    /// The position by due time. Texts sort as times do. An item with a smaller position is due earlier.
    pub fn due_at(&self) -> &str {
        &self.due.at
    }

    /// Whether the item is due at `now`.
    pub fn is_overdue(&self, now: Timestamp) -> bool {
        *self.due.at <= *now.to_string()
    }

    /// Claims of the item since its due time was set.
    pub fn claims(&self) -> u32 {
        self.due.claims
    }
}

/// An overdue item, claimed for enqueuing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claim {
    /// The item, as it was before the claim.
    pub overdue: Unfinished,
    /// Claims since the due time was set, including this one.
    pub claims: u32,
}

impl Store {
    /// The first due time of an item that becomes unfinished at `now`. Errors in a function that was not started with
    /// [`Store::with_due_times`].
    pub(super) fn first_due(&self, now: Timestamp) -> Result<Timestamp, StoreError> {
        let first_due_s =
            self.first_due_s.ok_or_else(|| StoreError::Refused("FIRST_DUE_SECONDS is not read".to_owned()));
        Ok(now.plus_seconds(first_due_s?))
    }

    /// The attributes that make the item with this key due, with 0 claims. Empty if items of this kind are never due.
    pub(super) fn due(&self, key: &TableKey, at: Timestamp) -> Vec<(String, AttributeValue)> {
        let Some(group) = due_group(key) else { return Vec::new() };
        let values = [text(keys::due_partition(group, key)), text(at.to_string()), number(0)];
        DUE.into_iter().map(str::to_owned).zip(values).collect()
    }

    /// The first `count` unfinished items of one partition, the first due first. So overdue items come first. An item
    /// whose key no message can name is logged and skipped if it is overdue, so that such items can't fill the page.
    pub async fn unfinished(
        &self, group: DueGroup, shard: u16, count: u16, now: Timestamp,
    ) -> Result<Vec<Unfinished>, StoreError> {
        let mut unfinished = Vec::new();
        let mut from = None;
        loop {
            let page = self
                .client
                .query()
                .table_name(&self.table)
                .index_name("due")
                .key_condition_expression("due = :due")
                .expression_attribute_values(":due", text(keys::due_partition_at(group, shard)))
                .limit(i32::from(count))
                .set_exclusive_start_key(from)
                .send()
                .await
                .map_err(StoreError::from_sdk)?;
            unfinished.extend(page.items.unwrap_or_default().iter().filter_map(|row| self.unfinished_row(row, now)));
            from = page.last_evaluated_key;
            if from.is_none() || unfinished.len() >= usize::from(count) {
                unfinished.truncate(usize::from(count));
                return Ok(unfinished);
            }
        }
    }

    fn unfinished_row(&self, row: &Item, now: Timestamp) -> Option<Unfinished> {
        let (key, due) = (TableKey::of(row), Due::of(row)?);
        match key.as_ref().and_then(WorkItem::of) {
            Some(item) => Some(Unfinished { item, due }),
            None if *due.at <= *now.to_string() => {
                self.unreadable(key, "it is due, but no work is known for its key");
                None
            }
            None => None,
        }
    }

    /// Claims an overdue item by moving its due time forward: by `claim_s` seconds, doubled with each claim, at most a
    /// day. None if the item was finished or claimed by another sweep, or if it has expired. (The number of claims
    /// comes from the index. It changes only together with the due time, which the condition compares.)
    ///
    /// In the store of a sweep ([`Store::of_sweep`]), a claim that the table throttles errors at once, see
    /// [`StoreError::is_throttling`]. The item stays due.
    pub async fn claim(&self, overdue: Unfinished, now: Timestamp, claim_s: u32) -> Result<Option<Claim>, StoreError> {
        let claims = overdue.due.claims.saturating_add(1);
        let wait_ms = (i64::from(claim_s) * 1000).saturating_mul(1 << (claims - 1).min(20)).min(CLAIM_MS_MAX);
        let edit =
            Edit::new().set("due_at", text(now.plus_millis(wait_ms).to_string())).set("due_claims", number(claims));
        let not_expired = Test::LacksOrCompares(EXPIRES_AT, Comparison::Above, number(now.seconds()));
        let when = vec![Test::is("due_at", overdue.due.seen()), not_expired];
        let claimed = self.edit(overdue.item.key(), edit, when).await?;
        Ok(claimed.then_some(Claim { overdue, claims }))
    }

    /// Removes the due time that was read with an item, unless another write has changed it since.
    pub(super) async fn remove_due(&self, key: &TableKey, due: &Due) -> Result<(), StoreError> {
        let edit = DUE.into_iter().fold(Edit::new(), Edit::remove);
        self.edit(key, edit, vec![Test::is("due_at", due.seen())]).await.map(drop)
    }
}

/// The claims of an item since its due time was set. 0 if the count can't be read.
fn claims(item: &Item) -> u32 {
    item.get("due_claims").and_then(|claims| claims.as_n().ok()?.parse().ok()).unwrap_or(0)
}
