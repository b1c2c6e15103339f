//! What the other items of the live table say about the damaged ones.

use std::collections::{BTreeMap, BTreeSet};

use spillway_domain::id::{ApiKeyId, EndpointKind, Kind as _, RefundKind};
use spillway_domain::payment::Payment;
use spillway_domain::refund::Refund;
use spillway_domain::resource::Resource as _;
use spillway_store::{ItemKind, StoredItem, TableKey, keys};

use super::books::Books;
use super::difference::Difference;

/// Facts about damaged items, gathered from all items of the live table.
#[derive(Debug, Default)]
pub struct Facts {
    /// The books as they are, without the damaged items of the books.
    pub books: Books,
    /// Items of the live table that refer to a damaged payment, refund or merchant, by its id.
    pub references: BTreeMap<String, Vec<TableKey>>,
    /// The number of shards that the items of a merchant use.
    pub shards: BTreeMap<String, u16>,
    /// The number of enabled endpoints and of all endpoints, by the partition key of the endpoints.
    pub endpoints: BTreeMap<String, (i64, i64)>,
    /// Keys of webhook endpoints and their tombstones.
    pub webhooks: BTreeSet<TableKey>,
    /// The other items of damaged API keys.
    pub twins: BTreeMap<TableKey, StoredItem>,
    /// Keys of all payments and refunds.
    objects: BTreeSet<TableKey>,
    /// Keys of the payments and refunds that entries, movements, events and refunds name.
    named: BTreeSet<TableKey>,
}

/// The damaged items whose facts are gathered.
#[derive(Debug, Default)]
pub struct Wanted {
    /// Their keys.
    pub keys: BTreeSet<TableKey>,
    ids: BTreeSet<String>,
    twins: BTreeSet<TableKey>,
}

impl Wanted {
    /// The facts that these differences need.
    pub fn of<'a>(damaged: impl Iterator<Item = &'a Difference>) -> Wanted {
        let mut wanted = Wanted::default();
        for difference in damaged {
            wanted.keys.insert(difference.key.clone());
            wanted.ids.extend(object_id(difference));
            wanted.twins.extend(twin(difference));
        }
        wanted
    }
}

/// The id of a payment, refund or merchant. None for other kinds.
pub fn object_id(difference: &Difference) -> Option<String> {
    let is_object = matches!(difference.kind, Some(ItemKind::Payment | ItemKind::Refund | ItemKind::Merchant));
    difference.key.pk.rsplit('#').next().filter(|_| is_object).map(str::to_owned)
}

/// The key of the payment or refund that an entry, a movement, an event or a refund names. An endpoint's event names no
/// money.
fn named_object(key: &TableKey, kind: ItemKind, item: &StoredItem) -> Option<TableKey> {
    let id = match kind {
        ItemKind::JournalEntry | ItemKind::Movement | ItemKind::Event => item.text("source"),
        ItemKind::Refund => item.text("payment"),
        _ => None,
    };
    let id = id.filter(|id| !id.starts_with(EndpointKind::PREFIX))?;
    let sk = if id.starts_with(RefundKind::PREFIX) { Refund::NAME } else { Payment::NAME };
    Some(TableKey { pk: format!("{}#{id}", key.tenant()?), sk: sk.to_owned() })
}

/// The key of the other item of an API key. None for other kinds.
pub fn twin(difference: &Difference) -> Option<TableKey> {
    let item = &difference.restored;
    match difference.kind? {
        ItemKind::ApiKey => Some(keys::api_key_id(&item.merchant()?, ApiKeyId::parse(item.text("id")?).ok()?.as_str())),
        ItemKind::IssuedKey => Some(keys::api_key(item.text("sha256")?)),
        _ => None,
    }
}

impl Facts {
    /// Adds what one item of the live table says.
    pub fn add(&mut self, wanted: &Wanted, item: &StoredItem) {
        let Some(key) = item.key() else { return };
        let Some(kind) = ItemKind::of(&key) else { return };
        if !wanted.keys.contains(&key) {
            self.books.add(&key, kind, item);
        }
        self.named.extend(named_object(&key, kind, item));
        if matches!(kind, ItemKind::Payment | ItemKind::Refund) {
            self.objects.insert(key.clone());
        }
        let about = match kind {
            ItemKind::JournalEntry | ItemKind::Event => item.text("source"),
            ItemKind::Refund => item.text("payment"),
            ItemKind::OperatorAction => key.pk.split('#').next(),
            _ => None,
        };
        if let Some(id) = about.filter(|id| wanted.ids.contains(*id)) {
            self.references.entry(id.to_owned()).or_default().push(key.clone());
        }
        if wanted.twins.contains(&key) {
            self.twins.insert(key.clone(), item.clone());
        }
        match kind {
            ItemKind::JournalEntry | ItemKind::Movement | ItemKind::Event | ItemKind::Payment => {
                self.count_shard(&key, item)
            }
            ItemKind::WebhookEndpoint => {
                let (enabled, all) = self.endpoints.entry(key.pk.clone()).or_default();
                *all += 1;
                *enabled += i64::from(item.text("status") == Some("enabled"));
                self.webhooks.insert(key);
            }
            ItemKind::Tombstone => drop(self.webhooks.insert(key)),
            _ => {}
        }
    }

    /// Keys of payments and refunds that other items name and that were not found.
    pub fn without_object(&self) -> Vec<TableKey> {
        self.named.difference(&self.objects).cloned().collect()
    }

    fn count_shard(&mut self, key: &TableKey, item: &StoredItem) {
        let own = item.number("shard").and_then(|shard| u16::try_from(shard).ok());
        let used = own.unwrap_or_else(|| key.shard()).saturating_add(1);
        if let Some(merchant) = item.merchant() {
            let most = self.shards.entry(merchant.to_string()).or_default();
            *most = used.max(*most);
        }
    }
}
