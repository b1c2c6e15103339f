//! Lists that are spread over shards. Reading merges the shards, newest first.

use std::collections::{HashMap, VecDeque};
use std::pin::pin;

use aws_sdk_dynamodb::config::AsyncSleep as _;
use aws_sdk_dynamodb::types::KeysAndAttributes;
use futures::future::{Either, select, try_join_all};
use serde::de::DeserializeOwned;
use spillway_domain::page::{Page, PageBuilder, PageRequest};
use spillway_domain::resource::Finder;

use super::keys::{self, ENDS};
use super::{Item, Store, StoreError, TableKey, text};

/// DynamoDB's limit: keys of one BatchGetItem.
const BATCH_GET_MAX: usize = 100;
/// Tries of one BatchGetItem while the store leaves keys unprocessed. They are few, because a client waits.
const BATCH_GET_TRIES: u32 = 4;
/// The most shards that are queried at the same time.
const PARALLEL_MAX: usize = 64;
/// Rows that are read from each shard beyond twice its share, because the next rows are spread unevenly over the
/// shards.
const SPARE: usize = 4;
/// Items of at most 1 KB that a query reads strongly for one read unit. Every item that a list reads from the table
/// itself is smaller: a journal entry has 425 bytes.
const ITEMS_A_UNIT: usize = 4;

/// The index or table that contains the rows of a list.
#[derive(Debug, Clone, Copy)]
pub(super) struct Rows {
    index: Option<&'static str>,
    attributes: (&'static str, &'static str),
}

impl Rows {
    /// Rows of the index `listing`, which has keys only. DynamoDB can't read an index strongly, so an item that was
    /// written a moment ago may be missing. A client that has paged past the item's position by then misses it.
    pub(super) const LISTING: Rows = Rows { index: Some("listing"), attributes: keys::LISTING };
    /// Rows of an index of the merchant's own values, such as `reference`. It has keys only and may lack the newest items,
    /// too.
    pub(super) const fn finder(finder: Finder) -> Rows {
        let (index, partition) = keys::finder_index(finder);
        Rows { index: Some(index), attributes: (partition, keys::LISTING.1) }
    }

    /// Rows of the table itself: whole items, read strongly.
    pub(super) const TABLE: Rows = Rows { index: None, attributes: keys::TABLE };

    /// Candidates of a page that cost one read unit. A row of an index needs a strong read of its item, which costs a unit
    /// for each 4 KB.
    fn candidates_a_unit(self) -> usize {
        if self.index.is_some() { 1 } else { ITEMS_A_UNIT }
    }

    /// The sort key of a row, which is its position in the list.
    fn key(self, row: &Item) -> &str {
        row.get(self.attributes.1).and_then(|value| value.as_s().ok()).map_or("", String::as_str)
    }
}

/// One list: its partitions, and the bounds of its sort keys.
#[derive(Debug)]
pub(super) struct List {
    /// The index or table of the rows.
    pub(super) rows: Rows,
    /// The partitions, one for each shard.
    pub(super) partitions: Vec<String>,
    /// The lower bound, included. None if the list has no lower bound.
    pub(super) from: Option<String>,
    /// The upper bound, excluded. None if the list has no upper bound.
    pub(super) before: Option<String>,
}

impl List {
    /// The list of all rows of one partition.
    pub(super) fn whole(rows: Rows, partition: String) -> List {
        List { rows, partitions: vec![partition], from: None, before: None }
    }
}

impl Store {
    /// Reads a page of a list. `load` returns one value for each row, in order: the item, or None if the filter
    /// excludes it. `everything` means that no item is excluded. The list is sorted by sort keys alone, so a position
    /// stays valid when the number of shards changes.
    ///
    /// If the store fails or its deadline passes, the page ends with the rows that were considered so far. Otherwise a
    /// list with a rare filter could never get past the same position. Errors with [`StoreError::Unavailable`] if no
    /// row was considered. (The timeout of the last call may come before the deadline.)
    pub(super) async fn page<T>(
        &self, list: List, request: &PageRequest, everything: bool,
        load: impl AsyncFn(Vec<Item>) -> Result<Vec<Option<T>>, StoreError>,
    ) -> Result<Page<T>, StoreError> {
        let mut builder = PageBuilder::new(request.limit, everything, list.rows.candidates_a_unit());
        let filled = {
            let fill = pin!(self.fill(list, request, &mut builder, load));
            match select(fill, self.sleep.sleep(self.deadline)).await {
                Either::Left((filled, _)) => filled,
                Either::Right(_) => Err(StoreError::Unavailable("nothing was read in time".to_owned())),
            }
        };
        match filled {
            Ok(has_more) => Ok(builder.finish(has_more)),
            Err(StoreError::Unavailable(why)) => builder.cut().ok_or(StoreError::Unavailable(why)),
            Err(other) => Err(other),
        }
    }

    /// Considers rows until the page is complete. Returns whether more rows follow.
    async fn fill<T>(
        &self, list: List, request: &PageRequest, builder: &mut PageBuilder<T>,
        load: impl AsyncFn(Vec<Item>) -> Result<Vec<Option<T>>, StoreError>,
    ) -> Result<bool, StoreError> {
        let mut merge = Merge::new(self, list, request.position.clone());
        while builder.wanted() > 0 {
            let rows = merge.take(builder.wanted()).await?;
            if rows.is_empty() {
                break;
            }
            let positions: Vec<String> = rows.iter().map(|row| merge.rows.key(row).to_owned()).collect();
            for (position, item) in positions.into_iter().zip(load(rows).await?) {
                builder.consider(position, item);
            }
        }
        Ok(builder.overflowed() || merge.has_more().await?)
    }

    /// The items behind these rows of an index, read strongly, in the order of the rows. None for an item that does not
    /// pass or can't be read.
    pub(super) async fn behind<T: DeserializeOwned>(
        &self, rows: Vec<Item>, passes: impl Fn(&T) -> bool,
    ) -> Result<Vec<Option<T>>, StoreError> {
        let unreadable = || StoreError::Corrupt("a row of the index has no key".to_owned());
        let keys: Option<Vec<TableKey>> = rows.iter().map(TableKey::of).collect();
        let items = self.get_all(&keys.ok_or_else(unreadable)?).await?;
        Ok(items.into_iter().map(|item| item.and_then(|item| self.read(item).ok()).filter(&passes)).collect())
    }

    /// The items with these keys, read strongly, in the order of the keys. None for a key without an item.
    pub(super) async fn get_all(&self, keys: &[TableKey]) -> Result<Vec<Option<Item>>, StoreError> {
        let mut found: HashMap<TableKey, Item> = HashMap::new();
        for batch in keys.chunks(BATCH_GET_MAX) {
            let items = self.batch_get(batch.iter().map(TableKey::attributes).collect()).await?;
            found.extend(items.into_iter().filter_map(|item| Some((TableKey::of(&item)?, item))));
        }
        Ok(keys.iter().map(|key| found.remove(key)).collect())
    }

    /// Reads a whole batch. Keys that are left unprocessed, because of throttling or the limit of 16 MB, are read again
    /// after a growing random wait. Errors if some are left after [`BATCH_GET_TRIES`] tries.
    async fn batch_get(&self, mut keys: Vec<Item>) -> Result<Vec<Item>, StoreError> {
        let mut items = Vec::with_capacity(keys.len());
        for attempt in 0..BATCH_GET_TRIES {
            if attempt > 0 {
                self.back_off(attempt - 1).await;
            }
            let batch = KeysAndAttributes::builder().consistent_read(true).set_keys(Some(keys));
            let batch = batch.build().map_err(StoreError::incomplete)?;
            let request = self.client.batch_get_item().request_items(&self.table, batch);
            let answer = request.send().await.map_err(StoreError::from_sdk)?;
            let found = answer.responses.unwrap_or_default().into_values().flatten();
            items.extend(found.filter(|item| !self.has_expired(item)));
            keys = answer.unprocessed_keys.unwrap_or_default().into_values().flat_map(|left| left.keys).collect();
            if keys.is_empty() {
                return Ok(items);
            }
        }
        Err(StoreError::Unavailable("reads were left over".to_owned()))
    }
}

/// The shards of a list while they are merged.
struct Merge<'store> {
    store: &'store Store,
    rows: Rows,
    /// The lower bound of the sort keys, included.
    from: String,
    /// The upper bound of the sort keys, excluded.
    until: String,
    shards: Vec<Shard>,
}

struct Shard {
    partition: String,
    /// Rows that were read but not taken yet, newest first.
    buffer: VecDeque<Item>,
    /// The key behind which the next read begins. None before the first read.
    start: Option<Item>,
    exhausted: bool,
}

impl<'store> Merge<'store> {
    fn new(store: &'store Store, list: List, position: Option<String>) -> Merge<'store> {
        let (from, until) = bounds(list.from, list.before, position);
        let shard = |partition| Shard { partition, buffer: VecDeque::new(), start: None, exhausted: false };
        let shards = list.partitions.into_iter().map(shard).collect();
        Merge { store, rows: list.rows, from, until, shards }
    }

    /// Takes the next `count` rows of the list. Fewer only at the end of the list.
    async fn take(&mut self, count: usize) -> Result<Vec<Item>, StoreError> {
        let mut taken = Vec::with_capacity(count);
        while taken.len() < count {
            self.refill(count - taken.len()).await?;
            let rows = self.rows;
            let newest = self.shards.iter_mut().max_by(|one, other| one.newest(rows).cmp(&other.newest(rows)));
            match newest.and_then(|shard| shard.buffer.pop_front()) {
                Some(row) => taken.push(row),
                None => break,
            }
        }
        Ok(taken)
    }

    /// Whether a row is left.
    async fn has_more(&mut self) -> Result<bool, StoreError> {
        if self.shards.iter().all(|shard| shard.buffer.is_empty()) {
            self.refill(1).await?;
        }
        Ok(self.shards.iter().any(|shard| !shard.buffer.is_empty()))
    }

    /// Reads until every shard that is not at its end has a row, because the next row may be in any shard. `count` is
    /// the number of rows wanted from all shards together.
    async fn refill(&mut self, count: usize) -> Result<(), StoreError> {
        let chunk = match self.shards.len() {
            // One more row tells whether another page follows.
            0 | 1 => count.saturating_add(1),
            shards => count.saturating_mul(2) / shards + SPARE,
        };
        loop {
            let (store, rows, from, until) = (self.store, self.rows, self.from.as_str(), self.until.as_str());
            let empty = self.shards.iter_mut().filter(|shard| shard.buffer.is_empty() && !shard.exhausted);
            let reads: Vec<_> =
                empty.take(PARALLEL_MAX).map(|shard| shard.read(store, rows, from, until, chunk)).collect();
            if reads.is_empty() {
                return Ok(());
            }
            try_join_all(reads).await?;
        }
    }
}

/// The bounds of the sort keys that are read: the first is included, the second is not. They are equal if the position
/// is before `from`, as in a forged cursor, because the store refuses an upper bound below the lower bound.
fn bounds(from: Option<String>, before: Option<String>, position: Option<String>) -> (String, String) {
    let from = from.unwrap_or_else(|| ENDS.0.to_owned());
    let until = [before, position].into_iter().flatten().min().unwrap_or_else(|| ENDS.1.to_owned());
    (from.clone(), until.max(from))
}

impl Shard {
    /// The position of the next row. None if the buffer is empty. (None sorts before every position.)
    fn newest(&self, rows: Rows) -> Option<&str> {
        self.buffer.front().map(|row| rows.key(row))
    }

    /// Reads the next `chunk` rows.
    async fn read(
        &mut self, store: &Store, rows: Rows, from: &str, until: &str, chunk: usize,
    ) -> Result<(), StoreError> {
        let query = store
            .client
            .query()
            .table_name(&store.table)
            .set_index_name(rows.index.map(str::to_owned))
            .consistent_read(rows.index.is_none())
            .scan_index_forward(false)
            .limit(i32::try_from(chunk).unwrap_or(i32::MAX))
            .set_exclusive_start_key(self.start.take())
            .key_condition_expression("#partition = :partition AND #sort BETWEEN :from AND :until")
            .expression_attribute_names("#partition", rows.attributes.0)
            .expression_attribute_names("#sort", rows.attributes.1)
            .expression_attribute_values(":partition", text(&self.partition))
            .expression_attribute_values(":from", text(from))
            .expression_attribute_values(":until", text(until));
        let page = query.send().await.map_err(StoreError::from_sdk)?;
        // BETWEEN includes both ends.
        self.buffer.extend(page.items.unwrap_or_default().into_iter().filter(|row| rows.key(row) != until));
        self.start = page.last_evaluated_key;
        self.exhausted = self.start.is_none();
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_ends_at_the_nearer_bound_and_not_before_its_start() {
        let read = |from: Option<&str>, before: Option<&str>, position: Option<&str>| {
            bounds(from.map(str::to_owned), before.map(str::to_owned), position.map(str::to_owned))
        };
        for (from, before, position, expected) in [
            (None, None, None, ("0", "~")),
            (Some("2"), Some("8"), None, ("2", "8")),
            (Some("2"), Some("8"), Some("5"), ("2", "5")),
            (None, Some("5"), Some("8"), ("0", "5")),
            (Some("2"), None, Some("1"), ("2", "2")),
            (None, None, Some("!"), ("0", "0")),
        ] {
            let (from, until) = read(from, before, position);
            assert_eq!((from.as_str(), until.as_str()), expected);
        }
    }
}
