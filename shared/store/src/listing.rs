//! Lists that are spread over shards, merged newest first while they are read.

use std::collections::{HashMap, VecDeque};
use std::pin::pin;

use aws_sdk_dynamodb::config::AsyncSleep as _;
use aws_sdk_dynamodb::types::KeysAndAttributes;
use futures::future::{Either, select, try_join_all};
use spillway_domain::page::{Page, PageBuilder, PageRequest};
use spillway_domain::resource::Finder;

use super::keys::{self, ENDS};
use super::{Item, Store, StoreError, TableKey, text};

/// The most keys of one BatchGetItem.
const BATCH_GET_MAX: usize = 100;
/// Tries of one BatchGetItem while the store leaves some of it over: a client waits.
const BATCH_GET_TRIES: u32 = 4;
/// Shards that are queried at the same time.
const PARALLEL_MAX: usize = 64;
/// Rows that are read from each shard beside its double share, because chance deals unevenly.
const SPARE: usize = 4;

/// Where the rows of a list are.
#[derive(Debug, Clone, Copy)]
pub(super) struct Rows {
    index: Option<&'static str>,
    attributes: (&'static str, &'static str),
}

impl Rows {
    /// In the index `listing`: keys only. DynamoDB can't read an index strongly, so what was written an instant ago may
    /// be missing, and is not in a walk that has passed its place.
    pub(super) const LISTING: Rows = Rows { index: Some("listing"), attributes: keys::LISTING };
    /// In the index of a merchant's own value: keys only, and as late.
    pub(super) const fn finder(finder: Finder) -> Rows {
        let (index, partition) = keys::finder_index(finder);
        Rows { index: Some(index), attributes: (partition, keys::LISTING.1) }
    }

    /// In the table itself: whole items, read strongly.
    pub(super) const TABLE: Rows = Rows { index: None, attributes: keys::TABLE };

    /// A row's place in the order of the list.
    fn key(self, row: &Item) -> &str {
        row.get(self.attributes.1).and_then(|value| value.as_s().ok()).map_or("", String::as_str)
    }
}

/// One list: its partitions, and the texts that bound its sort keys.
#[derive(Debug)]
pub(super) struct List {
    /// Where its rows are.
    pub(super) rows: Rows,
    /// One for each shard.
    pub(super) partitions: Vec<String>,
    /// Included.
    pub(super) from: Option<String>,
    /// Excluded.
    pub(super) before: Option<String>,
}

impl Store {
    /// A page of a list. `load` gives, for each row of a batch in its order, the item, or none if it does not pass;
    /// `everything` says that all pass. The order is that of the sort keys alone, so a position stays right when the
    /// number of shards changes.
    ///
    /// When the store fails, or the time that an endpoint gives it is up, the page ends with what was considered: were
    /// it thrown away, a list with a rare filter would never get past the same place. Unavailable if nothing was
    /// considered. (The last call's own time-out may come first.)
    pub(super) async fn page<T>(
        &self, list: List, asked: &PageRequest, everything: bool,
        load: impl AsyncFn(Vec<Item>) -> Result<Vec<Option<T>>, StoreError>,
    ) -> Result<Page<T>, StoreError> {
        let mut builder = PageBuilder::new(asked.limit, everything);
        let filled = {
            let fill = pin!(self.fill(list, asked, &mut builder, load));
            match select(fill, self.sleep.sleep(self.deadline)).await {
                Either::Left((filled, _)) => filled,
                Either::Right(_) => Err(StoreError::Unavailable("nothing was read in time".to_owned())),
            }
        };
        match filled {
            Ok(more) => Ok(builder.finish(more)),
            Err(StoreError::Unavailable(why)) => builder.cut().ok_or(StoreError::Unavailable(why)),
            Err(other) => Err(other),
        }
    }

    /// Fills the page until it is complete. Whether there are candidates behind those considered.
    async fn fill<T>(
        &self, list: List, asked: &PageRequest, builder: &mut PageBuilder<T>,
        load: impl AsyncFn(Vec<Item>) -> Result<Vec<Option<T>>, StoreError>,
    ) -> Result<bool, StoreError> {
        let mut merge = Merge::new(self, list, asked.position.clone());
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

    /// The items at these keys, read strongly, in the order of the keys; none where there is no item.
    pub(super) async fn get_all(&self, keys: &[TableKey]) -> Result<Vec<Option<Item>>, StoreError> {
        let mut found: HashMap<TableKey, Item> = HashMap::new();
        for batch in keys.chunks(BATCH_GET_MAX) {
            let items = self.batch_get(batch.iter().map(TableKey::attributes).collect()).await?;
            found.extend(items.into_iter().filter_map(|item| Some((TableKey::of(&item)?, item))));
        }
        Ok(keys.iter().map(|key| found.remove(key)).collect())
    }

    /// Reads a batch to its end: what a throttled store, or 16 MB, leave over is asked for again.
    async fn batch_get(&self, mut keys: Vec<Item>) -> Result<Vec<Item>, StoreError> {
        let mut items = Vec::with_capacity(keys.len());
        for attempt in 0..BATCH_GET_TRIES {
            if attempt > 0 {
                self.back_off(attempt - 1).await;
            }
            let wanted = KeysAndAttributes::builder().consistent_read(true).set_keys(Some(keys));
            let wanted = wanted.build().map_err(StoreError::incomplete)?;
            let request = self.client.batch_get_item().request_items(&self.table, wanted);
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
    /// Included.
    from: String,
    /// Excluded.
    until: String,
    shards: Vec<Shard>,
}

struct Shard {
    partition: String,
    /// Rows that were read and not taken yet, newest first.
    buffer: VecDeque<Item>,
    /// Where the shard was read to.
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

    /// The next rows of the list, up to `count`; fewer only at its end.
    async fn take(&mut self, count: usize) -> Result<Vec<Item>, StoreError> {
        let mut taken = Vec::with_capacity(count);
        while taken.len() < count {
            self.refill(count).await?;
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

    /// Reads on until every shard that is not at its end has a row: which shard is next can't be told before. `count`
    /// is how many rows are wanted of all together.
    async fn refill(&mut self, count: usize) -> Result<(), StoreError> {
        let chunk = count.saturating_mul(2) / self.shards.len().max(1) + SPARE;
        loop {
            let (store, rows, from, until) = (self.store, self.rows, self.from.as_str(), self.until.as_str());
            let dry = self.shards.iter_mut().filter(|shard| shard.buffer.is_empty() && !shard.exhausted);
            let reads: Vec<_> =
                dry.take(PARALLEL_MAX).map(|shard| shard.read(store, rows, from, until, chunk)).collect();
            if reads.is_empty() {
                return Ok(());
            }
            try_join_all(reads).await?;
        }
    }
}

/// What a list is read between: the first text is included, the second is not. A position before `from`, which only
/// who forges a cursor has, leaves nothing; the store would refuse the bounds in that order.
fn bounds(from: Option<String>, before: Option<String>, position: Option<String>) -> (String, String) {
    let from = from.unwrap_or_else(|| ENDS.0.to_owned());
    let until = [before, position].into_iter().flatten().min().unwrap_or_else(|| ENDS.1.to_owned());
    (from.clone(), until.max(from))
}

impl Shard {
    /// The place of the next row, none in a buffer without one. (None sorts before every place.)
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
    fn a_list_is_read_up_to_the_nearer_bound_and_never_backwards() {
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
