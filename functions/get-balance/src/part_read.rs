//! The exact read of one part of a tenant's balances.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU32, Ordering};

use futures::future::try_join_all;
use spillway_domain::balance::{Balance, SHARDS_PER_PART, Seen};
use spillway_domain::currency::Currency;
use spillway_domain::ledger::Movement;
use spillway_domain::tenant::Tenant;
use spillway_store::{Readable, Store, StoreError, keys};

/// Tries when a part is folded more than once between two of its reads.
const TRIES_MAX: u32 = 5;

/// One part of all balances of a tenant.
pub type Balances = Readable<(Currency, Balance)>;

/// Movements that a request may still read.
pub struct Allowance(AtomicU32);

impl Allowance {
    /// An allowance of `count` movements.
    pub fn of(count: u32) -> Allowance {
        Allowance(AtomicU32::new(count))
    }

    fn take(&self, movements: &[Movement]) -> Result<(), Unread> {
        let take = |left: u32| left.checked_sub(u32::try_from(movements.len()).ok()?);
        self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, take).map(drop).map_err(|_| Unread::TooMany)
    }

    fn give_back(&self, movements: &[Movement]) {
        self.0.fetch_add(u32::try_from(movements.len()).unwrap_or_default(), Ordering::Relaxed);
    }
}

/// Why a part can't be read exactly.
#[derive(Debug, thiserror::Error)]
pub enum Unread {
    /// The table failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// More than one fold ran between two neighbouring reads, in every try.
    #[error("it moved during every try")]
    Moved,
    /// The request's allowance of movements is used up.
    #[error("it has too many unfolded movements")]
    TooMany,
}

/// One part of all balances of a tenant, with its movements.
#[derive(Debug, Default)]
pub struct PartRead {
    /// The part before the first, between any two, and after the last page of its movements.
    reads: Vec<BTreeMap<Currency, Balance>>,
    movements: Vec<Movement>,
    /// The codes of the currencies with an item that can't be read.
    pub unreadable: Vec<String>,
}

/// The reads of one currency.
#[derive(Debug, Default)]
pub struct CurrencyRead<'read> {
    /// Its reads of the part.
    pub balances: Vec<&'read Balance>,
    /// Its movements.
    pub movements: Vec<Movement>,
}

impl PartRead {
    /// Reads a part over `shards` shards of the tenant. `first` is its first read. None if it is not read yet. After each
    /// page of its shards, it reads the part again. Tries again if more than one fold came in between.
    pub async fn exact(
        store: &Store, tenant: &Tenant, part: u16, shards: u16, first: Option<&Balances>, left: &Allowance,
    ) -> Result<PartRead, Unread> {
        let mut first = match first {
            Some(first) => first.clone(),
            None => store.balances(tenant, part).await?,
        };
        for _ in 0..TRIES_MAX {
            let mut read = PartRead::default();
            read.add(first);
            if read.read_pages(store, tenant, part, shards, left).await? {
                return Ok(read);
            }
            left.give_back(&read.movements);
            first = store.balances(tenant, part).await?;
        }
        Err(Unread::Moved)
    }

    /// Reads all movements of the part. False if more than one fold came between two reads of the part.
    async fn read_pages(
        &mut self, store: &Store, tenant: &Tenant, part: u16, shards: u16, left: &Allowance,
    ) -> Result<bool, Unread> {
        let from = part.saturating_mul(SHARDS_PER_PART);
        let mut open: Vec<(u16, Option<Seen>)> =
            (from..from.saturating_add(SHARDS_PER_PART).min(shards)).map(|shard| (shard, None)).collect();
        while !open.is_empty() {
            let pages = open.iter().map(|(shard, before)| store.movements(tenant, *shard, before.as_ref()));
            let pages = try_join_all(pages).await?;
            self.add(store.balances(tenant, part).await?);
            if self.has_moved() {
                return Ok(false);
            }
            open.clear();
            for mut page in pages {
                left.take(&page.movements)?;
                self.movements.append(&mut page.movements);
                self.unreadable.extend(
                    page.unreadable.iter().filter_map(|key| keys::currency_of_movement(key)).map(str::to_owned),
                );
                if page.up_to.is_some() {
                    open.push((page.shard, Some(page)));
                }
            }
        }
        Ok(true)
    }

    fn add(&mut self, read: Balances) {
        self.reads.push(read.items.into_iter().collect());
        self.unreadable.extend(read.unreadable);
    }

    /// Whether more than one fold came between the last two reads of the part.
    fn has_moved(&self) -> bool {
        let [.., first, second] = &self.reads[..] else { return false };
        let empty = Balance::EMPTY;
        second.iter().any(|(currency, later)| first.get(currency).unwrap_or(&empty).is_far_behind(later))
    }

    /// The reads of each currency that has a stored balance or a movement.
    pub fn by_currency(&mut self) -> BTreeMap<Currency, CurrencyRead<'_>> {
        const EMPTY: &Balance = &Balance::EMPTY;
        let mut all: BTreeMap<Currency, CurrencyRead<'_>> = BTreeMap::new();
        for currency in self.reads.iter().flat_map(BTreeMap::keys) {
            all.entry(*currency).or_default();
        }
        for movement in std::mem::take(&mut self.movements) {
            all.entry(movement.key.currency).or_default().movements.push(movement);
        }
        for (currency, read) in &mut all {
            read.balances = self.reads.iter().map(|read| read.get(currency).unwrap_or(EMPTY)).collect();
        }
        all
    }
}
