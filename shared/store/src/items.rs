//! Whole items, with attributes that this version does not know too. Operators' tools use them to compare two tables
//! and to write items back. No function uses them.

use std::collections::BTreeSet;

use aws_sdk_dynamodb::types::AttributeValue;
use serde::Serialize;
use serde::de::DeserializeOwned;
use spillway_domain::id::{
    EndpointKind, EntryKind, EventKind, Kind as _, MerchantId, PayerKind, PaymentKind, RefundKind,
};
use spillway_domain::payment::Payment;
use spillway_domain::refund::Refund;
use spillway_domain::resource::Resource as _;
use spillway_domain::tenant::Tenant;
use spillway_domain::time::Timestamp;

use super::balance::folded_so_often;
use super::commit::{Commit, Committed, WRITER};
use super::due::DUE;
use super::expression::Test;
use super::kinds::Parsed;
use super::{EXPIRES_AT, Item, Store, StoreError, TableKey, WAKE, WorkItem, keys};

/// A kind of item, named by its key. In this order items are written back: what others are counted from comes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ItemKind {
    /// A merchant.
    Merchant,
    /// An API key under the hash of its secret.
    ApiKey,
    /// An API key under its id.
    IssuedKey,
    /// An operator's action on a merchant or its keys.
    OperatorAction,
    /// A journal entry.
    JournalEntry,
    /// A payment.
    Payment,
    /// A refund.
    Refund,
    /// An event.
    Event,
    /// The delivery of an event to an endpoint.
    Delivery,
    /// A webhook endpoint.
    WebhookEndpoint,
    /// The number of a tenant's webhook endpoints.
    EndpointCount,
    /// The tombstone of a webhook endpoint.
    Tombstone,
    /// The bucket of a payer's failed payments.
    FailedPayments,
    /// A call of the sandbox processor.
    SandboxCall,
    /// One part of a balance.
    Balance,
    /// A movement.
    Movement,
}

/// Attributes that never change after the item was created.
const CONSTANT: [&str; 14] = [
    "id",
    "owner",
    "shard",
    "fingerprint",
    "request_id",
    "trace",
    "created_at",
    "asked",
    "processor",
    "payment",
    "listing",
    "listing_at",
    "by_reference",
    "by_customer",
];

/// Attributes that an item may get after it was created. Not every write changes an attribute that was there before: a
/// revocation only adds two. (`writer` comes with every plain write.)
const ADDED_LATER: [&str; 31] = [
    WRITER,
    WAKE,
    EXPIRES_AT,
    DUE[0],
    DUE[1],
    DUE[2],
    "asking",
    "payment_method",
    "failure",
    "fee",
    "available_on",
    "processor_reference",
    "listing",
    "listing_at",
    "early_attempts",
    "next_attempt_at",
    "planned_at",
    "put_offs",
    "failing_since",
    "probe_at",
    "works_since",
    "last_test",
    "revocation",
    "revoked_by",
    "available",
    "pending",
    "folding",
    "seq",
    "endpoints",
    "enabled",
    "other_plan_key",
];

impl ItemKind {
    /// The kind of the item with this key. None if no item of this version has such a key.
    pub fn of(key: &TableKey) -> Option<ItemKind> {
        let sk = key.sk.as_str();
        let Some(Parsed { partition, .. }) = Parsed::of(&key.pk) else {
            return match (key.pk.split_once('#'), sk) {
                (None, "merchant") => Some(ItemKind::Merchant),
                (Some(("key", _)), "key") => Some(ItemKind::ApiKey),
                (Some((_, "keys")), _) if sk.starts_with("key_") => Some(ItemKind::IssuedKey),
                (Some((_, "actions")), _) => Some(ItemKind::OperatorAction),
                (Some(("sandbox", _)), _) => Some(ItemKind::SandboxCall),
                _ => None,
            };
        };
        match partition.as_str() {
            _ if partition.starts_with(PaymentKind::PREFIX) && sk == Payment::NAME => Some(ItemKind::Payment),
            _ if partition.starts_with(RefundKind::PREFIX) && sk == Refund::NAME => Some(ItemKind::Refund),
            _ if partition.starts_with(EventKind::PREFIX) && sk.starts_with(EndpointKind::PREFIX) => {
                Some(ItemKind::Delivery)
            }
            _ if partition.starts_with(PayerKind::PREFIX) && sk == keys::FAILURES => Some(ItemKind::FailedPayments),
            "journal" if sk.starts_with(EntryKind::PREFIX) => Some(ItemKind::JournalEntry),
            keys::MOVEMENTS if key.movement().is_some() => Some(ItemKind::Movement),
            keys::BALANCES => Some(ItemKind::Balance),
            keys::EVENTS if sk.starts_with(EventKind::PREFIX) => Some(ItemKind::Event),
            keys::WEBHOOKS if sk.starts_with(EndpointKind::PREFIX) => Some(ItemKind::WebhookEndpoint),
            keys::WEBHOOKS if sk.starts_with("gone#") => Some(ItemKind::Tombstone),
            keys::WEBHOOKS if sk == "count" => Some(ItemKind::EndpointCount),
            _ => None,
        }
    }

    /// The kind's name for people.
    pub fn name(self) -> &'static str {
        match self {
            ItemKind::Merchant => "merchant",
            ItemKind::ApiKey => "API key by hash",
            ItemKind::IssuedKey => "API key by id",
            ItemKind::OperatorAction => "operator action",
            ItemKind::JournalEntry => "journal entry",
            ItemKind::Payment => "payment",
            ItemKind::Refund => "refund",
            ItemKind::Event => "event",
            ItemKind::Delivery => "delivery",
            ItemKind::WebhookEndpoint => "webhook endpoint",
            ItemKind::EndpointCount => "endpoint count",
            ItemKind::Tombstone => "tombstone",
            ItemKind::FailedPayments => "failed payments",
            ItemKind::SandboxCall => "sandbox call",
            ItemKind::Balance => "balance",
            ItemKind::Movement => "movement",
        }
    }

    /// Attributes of this kind that change without a new version.
    fn unversioned(self) -> &'static [&'static str] {
        match self {
            ItemKind::Payment | ItemKind::Refund => &["asking"],
            ItemKind::Event => &[EXPIRES_AT],
            ItemKind::WebhookEndpoint => &["failing_since", "probe_at", "works_since", "last_test"],
            _ => &[],
        }
    }
}

impl TableKey {
    /// The merchant and mode in the partition key. None if the item belongs to no tenant.
    pub fn tenant(&self) -> Option<Tenant> {
        Parsed::of(&self.pk).map(|parsed| parsed.tenant)
    }

    /// The shard in the partition key. For a balance it is the part. 0 if the key has none.
    pub fn shard(&self) -> u16 {
        Parsed::of(&self.pk).map_or(0, |parsed| parsed.shard)
    }
}

/// An item as it is stored, with all its attributes.
#[derive(Debug, Clone, PartialEq)]
pub struct StoredItem(Item);

impl StoredItem {
    /// The item with these attributes, for tests. Errors if they are no map.
    pub fn of(attributes: &impl Serialize) -> Result<StoredItem, StoreError> {
        let item = serde_dynamo::to_item(attributes).map_err(|error| StoreError::Corrupt(error.to_string()))?;
        Ok(StoredItem(item))
    }

    /// The item's key. None if it is incomplete.
    pub fn key(&self) -> Option<TableKey> {
        TableKey::of(&self.0)
    }

    /// A text. None if the attribute is missing or no text.
    pub fn text(&self, name: &str) -> Option<&str> {
        self.0.get(name)?.as_s().ok().map(String::as_str)
    }

    /// A whole number. None if the attribute is missing or no whole number.
    pub fn number(&self, name: &str) -> Option<i64> {
        self.0.get(name)?.as_n().ok()?.parse().ok()
    }

    /// Whether the item has the attribute. A dot in the path leads into a map.
    pub fn has(&self, path: &str) -> bool {
        match path.split_once('.') {
            Some((map, rest)) => {
                let map = self.0.get(map).and_then(|map| map.as_m().ok());
                map.is_some_and(|map| map.contains_key(rest))
            }
            None => self.0.contains_key(path),
        }
    }

    /// The value of the item. None if the item can't be read as a `T`.
    pub fn value<T: DeserializeOwned>(&self) -> Option<T> {
        serde_dynamo::from_item(self.0.clone()).ok()
    }

    /// The merchant that the item belongs to. None if it belongs to none.
    pub fn merchant(&self) -> Option<MerchantId> {
        let key = self.key()?;
        let tenant = key.tenant().or_else(|| Tenant::parse(self.text("tenant")?));
        let first = || MerchantId::parse(key.pk.split('#').next()?).ok();
        tenant.map(|tenant| tenant.merchant).or_else(first)
    }

    /// Whether the item has expired at `now`.
    pub fn has_expired(&self, now: Timestamp) -> bool {
        self.number(EXPIRES_AT).is_some_and(|at| at <= now.seconds())
    }

    /// The attributes whose values differ, sorted. `writer` is left out, because it only identifies a write.
    pub fn differing(&self, other: &StoredItem) -> Vec<String> {
        let names: BTreeSet<&String> = self.0.keys().chain(other.0.keys()).collect();
        let differs = |name: &&String| name.as_str() != WRITER && !same(self.0.get(*name), other.0.get(*name));
        names.into_iter().filter(differs).cloned().collect()
    }

    /// The same without attributes that change while the item's version stays.
    pub fn differing_in_version(&self, other: &StoredItem, kind: ItemKind) -> Vec<String> {
        let unversioned = |name: &str| DUE.contains(&name) || name == WAKE || kind.unversioned().contains(&name);
        self.differing(other).into_iter().filter(|name| !unversioned(name)).collect()
    }

    /// The same, only attributes that never change.
    pub fn differing_constants(&self, other: &StoredItem) -> Vec<String> {
        self.differing(other).into_iter().filter(|name| CONSTANT.contains(&name.as_str())).collect()
    }
}

/// Whether two attributes are equal. Numbers are equal if their values are.
fn same(one: Option<&AttributeValue>, other: Option<&AttributeValue>) -> bool {
    match (one, other) {
        (Some(AttributeValue::N(one)), Some(AttributeValue::N(other))) => {
            one == other || one.parse::<i128>().is_ok_and(|one| other.parse() == Ok(one))
        }
        (one, other) => one == other,
    }
}

impl Store {
    /// The same client for another table.
    pub fn with_table(&self, table: &str) -> Store {
        Store { table: table.to_owned(), ..self.clone() }
    }

    /// One page of all items, read strongly, and the key after which the next page begins. The key is None after the
    /// last page.
    pub async fn scan(&self, after: Option<&TableKey>) -> Result<(Vec<StoredItem>, Option<TableKey>), StoreError> {
        let scan = self.client.scan().table_name(&self.table).consistent_read(true);
        let page = scan.set_exclusive_start_key(after.map(TableKey::attributes)).send().await;
        let page = page.map_err(StoreError::from_sdk)?;
        let next = page.last_evaluated_key.as_ref().and_then(TableKey::of);
        Ok((page.items.unwrap_or_default().into_iter().map(StoredItem).collect(), next))
    }

    /// The items with these keys, read strongly, in the order of the keys. None for a key without an item.
    pub async fn stored_items(&self, keys: &[TableKey]) -> Result<Vec<Option<StoredItem>>, StoreError> {
        Ok(self.get_all(keys).await?.into_iter().map(|item| item.map(StoredItem)).collect())
    }

    /// Writes a whole item. Condition: the item there is still as it was read, also without any attribute that it lacked,
    /// or still missing. False if it is not; then nothing is written.
    pub async fn write_back(&self, item: &StoredItem, read: Option<&StoredItem>) -> Result<bool, StoreError> {
        let commit = Commit::new().replace(item.0.clone(), vec![unchanged(item, read)], |_, _| Ok(()))?;
        Ok(self.commit(commit).await? == Committed::Done)
    }

    /// The same for a movement. Another condition: its part of the balance was folded `seq` times, as it was read. So no
    /// fold can have added the movement since.
    pub async fn write_movement_back(
        &self, item: &StoredItem, read: Option<&StoredItem>, seq: u64,
    ) -> Result<bool, StoreError> {
        let balance = item.key().and_then(|key| WorkItem::of(&key));
        let balance = balance.ok_or_else(|| StoreError::Corrupt("a movement has no balance".to_owned()))?;
        let commit = Commit::new().replace(item.0.clone(), vec![unchanged(item, read)], |_, _| Ok(()))?.check(
            balance.key().clone(),
            vec![folded_so_often(seq)],
            |_, _| Ok(()),
        );
        Ok(self.commit(commit).await? == Committed::Done)
    }
}

/// The test that the item which `item` replaces is as it was read. An attribute that was added since would be lost, so
/// the test also names all attributes that may be added, and those that `item` has.
fn unchanged(item: &StoredItem, read: Option<&StoredItem>) -> Test {
    let Some(read) = read else { return Test::Absent };
    let names = ADDED_LATER.iter().copied().chain(item.0.keys().map(String::as_str));
    let lacking = names.filter(|name| !read.0.contains_key(*name)).map(str::to_owned).collect();
    Test::Unchanged(read.0.clone(), lacking)
}

#[cfg(test)]
mod tests {
    use spillway_domain::currency::Currency;
    use spillway_domain::id::{EndpointId, EntryId, EventId, PaymentId, RefundId};
    use spillway_domain::ledger::MovementKey;
    use spillway_domain::payment::Payment;
    use spillway_domain::refund::Refund;
    use spillway_domain::tenant::Mode;
    use spillway_domain::time::Day;

    use super::super::{keys, text};
    use super::*;

    #[test]
    fn every_key_names_its_kind_and_merchant() {
        let merchant = MerchantId::derive(&["m"]);
        let tenant = Tenant { merchant: merchant.clone(), mode: Mode::Test };
        let usd = Currency::parse("USD").unwrap();
        let (event, endpoint, entry) = (EventId::derive(&["e"]), EndpointId::derive(&["w"]), EntryId::derive(&["t"]));
        let value_date = Day::parse("2026-02-02").unwrap();
        let movement = MovementKey { currency: usd, value_date, entry: entry.clone() };
        for (key, kind) in [
            (keys::merchant(&merchant), ItemKind::Merchant),
            (keys::api_key_id(&merchant, "key_1"), ItemKind::IssuedKey),
            (keys::resource::<Payment>(&tenant, &PaymentId::derive(&["p"])), ItemKind::Payment),
            (keys::resource::<Refund>(&tenant, &RefundId::derive(&["r"])), ItemKind::Refund),
            (keys::journal_entry(&tenant, &entry), ItemKind::JournalEntry),
            (keys::movement(&tenant, &movement), ItemKind::Movement),
            (keys::balance(&tenant, usd, 0), ItemKind::Balance),
            (keys::balance(&tenant, usd, 3), ItemKind::Balance),
            (keys::event(&tenant, &event), ItemKind::Event),
            (keys::delivery(&tenant, &event, &endpoint), ItemKind::Delivery),
            (keys::webhook_endpoint(&tenant, &endpoint), ItemKind::WebhookEndpoint),
            (keys::webhook_endpoint_count(&tenant), ItemKind::EndpointCount),
            (keys::deleted_webhook_endpoint(&tenant, &endpoint), ItemKind::Tombstone),
        ] {
            assert_eq!(ItemKind::of(&key), Some(kind), "{key:?}");
            assert_eq!(StoredItem(key.attributes()).merchant(), Some(merchant.clone()), "{key:?}");
        }
        assert_eq!(ItemKind::of(&keys::api_key("00")), Some(ItemKind::ApiKey));
        assert_eq!(ItemKind::of(&keys::sandbox_call("pay_1", "k")), Some(ItemKind::SandboxCall));
        let unknown = TableKey { pk: format!("{tenant}#po_1"), sk: "payout".to_owned() };
        assert_eq!(ItemKind::of(&unknown), None);
    }

    #[test]
    fn only_differences_of_the_version_are_found() {
        let item = |version: &str, asks: &str, writer: &str| {
            let number = |value: &str| AttributeValue::N(value.to_owned());
            let asking = Item::from([("asks".to_owned(), number(asks))]);
            let attributes =
                [("version", number(version)), ("asking", AttributeValue::M(asking)), ("writer", text(writer))];
            StoredItem(attributes.map(|(name, value)| (name.to_owned(), value)).into())
        };
        let one = item("1", "0", "a");
        assert_eq!(one.differing(&item("1", "0", "b")), Vec::<String>::new());
        assert_eq!(one.differing(&item("2", "3", "b")), ["asking", "version"]);
        assert_eq!(one.differing_in_version(&item("2", "3", "b"), ItemKind::Payment), ["version"]);
        assert!(one.has("asking.asks") && !one.has("asking.absent_since") && !one.has("other.asks"));
    }
}
