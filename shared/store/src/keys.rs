//! Every key of the table. The tenant is part of the keys of its data, so another tenant's id finds nothing.
//!
//! ```text
//! item               pk             sk                         listing            listing_at  due, while
//! merchant           mer_…          merchant                   merchants          time#id
//! API key            key#<sha256>   key
//!   its id           mer_…#keys     key_…
//! operator action    mer_…#actions  time#request id
//! payment            T#pay_…        payment                    T#payments#s       time#id     it waits for a processor
//! refund             T#re_…         refund                     T#pay_…#refunds    time#id     it waits for a processor
//! journal entry      T#journal#s    txn_…
//! movement           T#movements#s  move#USD#2026-02-02#txn_…
//! balance, part 0    T#balances     USD                                                       always: the next day
//! balance, part p    T#balances#p   USD                                                       always: the next day
//! event              T#events#s     evt_…                                                     a delivery is missing
//! delivery           T#evt_…        we_…
//!   pending                                                    T#we_…#pending     evt_…       always
//!   final, after a failure or given up                         T#we_…#deliveries  evt_…
//! webhook endpoint   T#webhooks     we_…
//!   count of all     T#webhooks     count
//!   deleted          T#webhooks     gone#we_…
//! failed payments    T#payer_…      failures
//! sandbox call       sandbox#pay_…  the idempotency key
//!   of a refund      sandbox#re_…   the idempotency key
//! ```
//!
//! `pk` and `sk` are the table key. `listing` and `listing_at` are the partition and sort key in the index `listing`.
//! The last column says how long the item has a due time: an event until every endpoint that wants it has a delivery,
//! pending or final. T is `mer_…#test` or `mer_…#live`, s a shard of the merchant. `time#id` is the time of creation
//! with a fixed width, so that it sorts by time, then `#` and the id. So a test payment in shard 3 has
//!
//! ```text
//! pk          mer_…#test#pay_…
//! sk          payment
//! listing     mer_…#test#payments#3
//! listing_at  2026-01-31T12:00:00.123Z#pay_…
//! ```
//!
//! Two more indexes find a payment by the merchant's own values: `reference` in the partition `T#reference#value#s`,
//! and `customer` in `T#customer#value#s`, both sorted by `listing_at`. The partitions of the index `due` are
//! `due#money#n`, `due#events#n` and `due#deliveries#n`, sorted by the due time.

use std::collections::HashMap;

use aws_sdk_dynamodb::types::AttributeValue;
use serde::{Deserialize, Serialize};
use spillway_domain::currency::Currency;
use spillway_domain::id::{EndpointId, EntryId, EventId, Id, MerchantId, ObjectId, PayerId, shard_of};
use spillway_domain::ledger::MovementKey;
use spillway_domain::operator::OperatorAction;
use spillway_domain::resource::{Finder, Resource};
use spillway_domain::tenant::Tenant;
use spillway_domain::time::Timestamp;

use super::Item;
use super::due::DueGroup;

/// The names of partitions, as they stand in partition keys behind the tenant.
pub(super) const MOVEMENTS: &str = "movements";
pub(super) const BALANCES: &str = "balances";
pub(super) const EVENTS: &str = "events";
pub(super) const WEBHOOKS: &str = "webhooks";
/// The sort key of a bucket of failed payments.
pub(super) const FAILURES: &str = "failures";
/// The prefix of the sort keys of movements.
pub const MOVEMENT_PREFIX: &str = "move#";

/// The names of the attributes of an item's key.
pub(super) const TABLE: (&str, &str) = ("pk", "sk");
/// The names of the attributes of the index `listing`: partition key and sort key. The first is the index's name too.
pub const LISTING: (&str, &str) = ("listing", "listing_at");
/// The partition of all merchants in the index `listing`.
pub const MERCHANTS: &str = "merchants";
/// Texts that sort before and behind every sort key.
pub(super) const ENDS: (&str, &str) = ("0", "~");

/// The key of an item in the index `listing`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listing {
    partition: String,
    sort: String,
}

impl Listing {
    /// Adds the key to an item, so that the index contains the item.
    pub(super) fn put_into(self, item: &mut Item) {
        item.insert(LISTING.0.to_owned(), AttributeValue::S(self.partition));
        item.insert(LISTING.1.to_owned(), AttributeValue::S(self.sort));
    }
}

/// The key of an item.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct TableKey {
    /// The partition key.
    pub pk: String,
    /// The sort key.
    pub sk: String,
}

impl TableKey {
    fn new(pk: impl Into<String>, sk: impl Into<String>) -> TableKey {
        TableKey { pk: pk.into(), sk: sk.into() }
    }

    /// The key of an item, or of a row of an index. None if it is incomplete.
    pub fn of(item: &HashMap<String, AttributeValue>) -> Option<TableKey> {
        let text = |name| item.get(name)?.as_s().ok().cloned();
        Some(TableKey { pk: text("pk")?, sk: text("sk")? })
    }

    /// The movement key in the sort key of a movement. None if this is not the key of a movement.
    pub fn movement(&self) -> Option<MovementKey> {
        MovementKey::parse(self.sk.strip_prefix(MOVEMENT_PREFIX)?)
    }

    /// The key in the form of the SDK: attribute values by name.
    pub fn attributes(&self) -> HashMap<String, AttributeValue> {
        let text = |value: &String| AttributeValue::S(value.clone());
        HashMap::from([("pk".to_owned(), text(&self.pk)), ("sk".to_owned(), text(&self.sk))])
    }
}

/// The key of a resource.
pub fn resource<T: Resource>(owner: &Tenant, id: &Id<T::Kind>) -> TableKey {
    object(owner, id.as_str(), T::NAME)
}

/// The key of the resource with this id, of the type with this name.
pub(super) fn object(owner: &Tenant, id: &str, name: &str) -> TableKey {
    TableKey::new(format!("{owner}#{id}"), name)
}

/// The key of the bucket of a payer's failed payments.
pub(super) fn failures(tenant: &Tenant, payer: &PayerId) -> TableKey {
    TableKey::new(format!("{tenant}#{payer}"), FAILURES)
}

/// The partition of a shard's resources of one type in the index `listing`.
pub fn listings<T: Resource>(owner: &Tenant, shard: u16) -> String {
    format!("{owner}#{}#{shard}", T::PLURAL)
}

/// The partition of the resources of one type under a parent in the index `listing`.
pub fn listings_under<T: Resource>(owner: &Tenant, parent: &ObjectId) -> String {
    format!("{owner}#{parent}#{}", T::PLURAL)
}

/// The key of a resource in the index `listing`.
pub fn listing<T: Resource>(resource: &T) -> Listing {
    let meta = resource.meta();
    let partition = match resource.parent() {
        Some(parent) => listings_under::<T>(&meta.owner, &parent),
        None => listings::<T>(&meta.owner, meta.shard),
    };
    Listing { partition, sort: meta.position() }
}

/// The name of the index that finds resources by a merchant's own value, and the attribute that is its partition key.
/// The sort key is the one of the index `listing`.
pub(super) const fn finder_index(finder: Finder) -> (&'static str, &'static str) {
    match finder {
        Finder::Reference => ("reference", "by_reference"),
        Finder::Customer => ("customer", "by_customer"),
    }
}

/// The partition of a shard's resources with this value, in the index of the finder.
pub fn found_by(owner: &Tenant, finder: Finder, value: &str, shard: u16) -> String {
    format!("{owner}#{}#{value}#{shard}", finder_index(finder).0)
}

/// The partition of a shard's journal entries.
pub fn journal(tenant: &Tenant, shard: u16) -> String {
    format!("{tenant}#journal#{shard}")
}

/// The key of a journal entry.
pub fn journal_entry(tenant: &Tenant, id: &EntryId) -> TableKey {
    TableKey::new(journal(tenant, id.shard()), id.as_str())
}

/// The partition of a shard's movements.
pub fn movements(tenant: &Tenant, shard: u16) -> String {
    format!("{tenant}#{MOVEMENTS}#{shard}")
}

/// The key of a movement. Its shard is the one that its entry's id names.
pub fn movement(tenant: &Tenant, key: &MovementKey) -> TableKey {
    TableKey::new(movements(tenant, key.entry.shard()), format!("{MOVEMENT_PREFIX}{key}"))
}

/// The prefix of the sort keys of one currency's movements.
pub fn movements_of(currency: Currency) -> String {
    format!("{MOVEMENT_PREFIX}{currency}#")
}

/// The currency's code in the text of a movement key. None if it has no such code.
pub fn currency_of_movement(key: &str) -> Option<&str> {
    currency_of_balance(key.split_once('#')?.0)
}

/// The sort key of a balance, if it has the form of a currency's code. The currency may be one that only a newer
/// version of Spillway knows.
pub(super) fn currency_of_balance(sk: &str) -> Option<&str> {
    Some(sk).filter(|code| code.len() == 3 && code.bytes().all(|byte| byte.is_ascii_uppercase()))
}

/// The partition of one part of a tenant's balances. Each part has its own partition, so that folds are spread over
/// them.
pub fn balances(tenant: &Tenant, part: u16) -> String {
    if part == 0 { format!("{tenant}#{BALANCES}") } else { format!("{tenant}#{BALANCES}#{part}") }
}

/// The key of one part of a balance.
pub fn balance(tenant: &Tenant, currency: Currency, part: u16) -> TableKey {
    TableKey::new(balances(tenant, part), currency.code())
}

/// The key of an event. Its shard is the one that its id names.
pub fn event(tenant: &Tenant, id: &EventId) -> TableKey {
    TableKey::new(format!("{tenant}#{EVENTS}#{}", id.shard()), id.as_str())
}

/// The partition of an event's deliveries.
pub fn deliveries(tenant: &Tenant, event: &EventId) -> String {
    format!("{tenant}#{event}")
}

/// The key of the delivery of an event to an endpoint.
pub fn delivery(tenant: &Tenant, event: &EventId, endpoint: &EndpointId) -> TableKey {
    TableKey::new(deliveries(tenant, event), endpoint.as_str())
}

/// The partition of an endpoint's pending deliveries in the index `listing`.
pub fn pending_deliveries(tenant: &Tenant, endpoint: &EndpointId) -> String {
    format!("{tenant}#{endpoint}#pending")
}

/// The key of a pending delivery in the index `listing`, in the list of its endpoint.
pub fn pending_delivery_listing(tenant: &Tenant, event: &EventId, endpoint: &EndpointId) -> Listing {
    Listing { partition: pending_deliveries(tenant, endpoint), sort: event.to_string() }
}

/// The partition, in the index `listing`, of an endpoint's final deliveries that had a failed attempt or were given up.
/// Deliveries that succeeded after a failed attempt are included.
pub fn failed_deliveries(tenant: &Tenant, endpoint: &EndpointId) -> String {
    format!("{tenant}#{endpoint}#deliveries")
}

/// The key in the index `listing` of such a delivery.
pub fn failed_delivery_listing(tenant: &Tenant, event: &EventId, endpoint: &EndpointId) -> Listing {
    Listing { partition: failed_deliveries(tenant, endpoint), sort: event.to_string() }
}

/// The partition of a tenant's webhook endpoints.
pub fn webhook_endpoints(tenant: &Tenant) -> String {
    format!("{tenant}#{WEBHOOKS}")
}

/// The key of a webhook endpoint.
pub fn webhook_endpoint(tenant: &Tenant, id: &EndpointId) -> TableKey {
    TableKey::new(webhook_endpoints(tenant), id.as_str())
}

/// The key of the item that counts a tenant's webhook endpoints.
pub fn webhook_endpoint_count(tenant: &Tenant) -> TableKey {
    TableKey::new(webhook_endpoints(tenant), "count")
}

/// The key of the tombstone of a webhook endpoint. Its prefix keeps it out of the list of endpoints.
pub fn deleted_webhook_endpoint(tenant: &Tenant, id: &EndpointId) -> TableKey {
    TableKey::new(webhook_endpoints(tenant), format!("gone#{id}"))
}

/// The key of a merchant.
pub fn merchant(id: &MerchantId) -> TableKey {
    TableKey::new(id.as_str(), "merchant")
}

/// The key of a merchant in the index `listing`.
pub fn merchant_listing(created_at: Timestamp, id: &MerchantId) -> Listing {
    Listing { partition: MERCHANTS.to_owned(), sort: format!("{created_at}#{id}") }
}

/// The key of the API key item that the authorizer finds by the hash of the secret.
pub fn api_key(sha256: &str) -> TableKey {
    TableKey::new(format!("key#{sha256}"), "key")
}

/// The partition of a merchant's API keys by their ids.
pub fn api_keys(merchant: &MerchantId) -> String {
    format!("{merchant}#keys")
}

/// The key of the API key item that operators find by its id. It makes issuing idempotent.
pub fn api_key_id(merchant: &MerchantId, id: &str) -> TableKey {
    TableKey::new(api_keys(merchant), id)
}

/// The partition of the operators' actions on a merchant and its API keys.
pub fn operator_actions(merchant: &MerchantId) -> String {
    format!("{merchant}#actions")
}

/// The key of an operator's action. It sorts by time.
pub fn operator_action(action: &OperatorAction) -> TableKey {
    TableKey::new(operator_actions(&action.merchant), action.position())
}

/// The key of the sandbox's record of the calls for one payment or refund with one idempotency key.
pub fn sandbox_call(reference: &str, idempotency_key: &str) -> TableKey {
    TableKey::new(format!("sandbox#{reference}"), idempotency_key)
}

/// The partition of the index `due` for an item. It depends only on the item's key.
pub fn due_partition(group: DueGroup, key: &TableKey) -> String {
    due_partition_at(group, shard_of(&format!("{}#{}", key.pk, key.sk), group.shards()))
}

/// One partition of the index `due`.
pub fn due_partition_at(group: DueGroup, shard: u16) -> String {
    format!("due#{}#{shard}", group.as_str())
}
