//! Reading the journal. Its entries are written by the commits of resources.

use spillway_domain::currency::Currency;
use spillway_domain::id::EntryId;
use spillway_domain::ledger::JournalEntry;
use spillway_domain::page::{Page, PageRequest};
use spillway_domain::tenant::Tenant;

use super::listing::{List, Rows};
use super::{Store, StoreError, keys};

impl Store {
    /// A page of the journal entries that change a tenant's balance, over `shards` shards, read strongly. With a
    /// `currency`, only entries in it. An entry that can't be read is left out.
    pub async fn journal_entries(
        &self, tenant: &Tenant, shards: u16, request: &PageRequest, currency: Option<Currency>,
    ) -> Result<Page<JournalEntry>, StoreError> {
        let list = List {
            rows: Rows::TABLE,
            partitions: (0..shards).map(|shard| keys::journal(tenant, shard)).collect(),
            from: request.created_from.map(EntryId::first_at),
            before: request.created_before.map(EntryId::first_at),
        };
        self.page(list, request, false, async |rows| {
            let entries = rows.into_iter().map(|row| {
                let entry: Option<JournalEntry> = self.read(row).ok();
                entry.filter(|entry| {
                    entry.concerns_the_merchant() && currency.is_none_or(|wanted| wanted == entry.currency)
                })
            });
            Ok(entries.collect())
        })
        .await
    }
}
