//! Every key of the table. The tenant is part of each key of its data, so that a foreign id is a miss.
//!
//! ```text
//! item              pk                     sk                             index listing              index due, while
//! merchant          mer_…                  merchant                       merchants, time#id
//! API key           key#<sha256>           key
//!   its id          mer_…#keys             key_…
//! payment           T#pay_…                payment                        T#payments#s, time#id      processing
//! journal entry     T#journal#s            txn_…
//! movement          T#movements#s          move#USD#2026-02-02#txn_…
//! balance           T#balances             USD                                                       always: the next day
//! event             T#events#s             evt_…                                                     not all delivered
//! delivery          T#evt_…                we_…                           T#we_…#pending, evt_…      pending
//!   final, failed once                                                    T#we_…#deliveries, evt_…
//! webhook endpoint  T#webhooks             we_…
//!   how many        T#webhooks             count
//! sandbox call      sandbox#pay_…          the idempotency key
//! ```
//!
//! T is `mer_…#test` or `mer_…#live`, s a shard of the merchant. Times have a fixed width, so that keys sort by time.
//! The partitions of the index `due` are `due#money#n`, `due#events#n` and `due#deliveries#n`.

use std::collections::HashMap;

use aws_sdk_dynamodb::types::AttributeValue;
use spillway_domain::currency::Currency;
use spillway_domain::id::{EndpointId, EntryId, EventId, MerchantId, PaymentId, shard_of};
use spillway_domain::ledger::MovementKey;
use spillway_domain::tenant::Tenant;
use spillway_domain::time::Timestamp;

use super::Item;
use super::due::DueSpace;
use crate::work::Thing;

/// The sort key of payments.
pub const PAYMENT: &str = "payment";
/// What the sort keys of movements begin with.
pub const MOVEMENT_PREFIX: &str = "move#";

/// The attributes that are an item's key.
pub(super) const TABLE: (&str, &str) = ("pk", "sk");
/// The attributes by which the index of that name finds an item: its partition and its sort key there.
pub(super) const LISTING: (&str, &str) = ("listing", "listing_at");
/// What sorts before and behind every sort key.
pub(super) const ENDS: (&str, &str) = ("0", "~");

/// Where the index `listing` has an item.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listing {
    partition: String,
    sort: String,
}

impl Listing {
    /// Makes the index have the item there.
    pub(super) fn put_into(self, item: &mut Item) {
        item.insert(LISTING.0.to_owned(), AttributeValue::S(self.partition));
        item.insert(LISTING.1.to_owned(), AttributeValue::S(self.sort));
    }
}

/// The key of an item.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Key {
    /// Partition key.
    pub pk: String,
    /// Sort key.
    pub sk: String,
}

impl Key {
    fn new(pk: impl Into<String>, sk: impl Into<String>) -> Key {
        Key { pk: pk.into(), sk: sk.into() }
    }

    /// Of an item, or of a row of an index.
    pub(super) fn of(item: &Item) -> Option<Key> {
        let text = |name| item.get(name)?.as_s().ok().cloned();
        Some(Key { pk: text("pk")?, sk: text("sk")? })
    }

    pub(super) fn attributes(&self) -> Item {
        let text = |value: &String| AttributeValue::S(value.clone());
        HashMap::from([("pk".to_owned(), text(&self.pk)), ("sk".to_owned(), text(&self.sk))])
    }

    /// The movement whose key it is, if it is one's.
    pub fn movement(&self) -> Option<MovementKey> {
        MovementKey::parse(self.sk.strip_prefix(MOVEMENT_PREFIX)?)
    }

    /// What a message about this item names. None for items that nothing has to be done for.
    pub fn thing(&self) -> Option<Thing> {
        // T#last, where T holds one # itself.
        let (tenant, last) = match self.pk.rsplit_once('#')? {
            (rest, shard) if shard.bytes().all(|byte| byte.is_ascii_digit()) => rest.rsplit_once('#')?,
            found => found,
        };
        let tenant = Tenant::parse(tenant)?;
        match (last, self.sk.as_str()) {
            (id, PAYMENT) => Some(Thing::Payment { id: PaymentId::parse(id).ok()?, tenant }),
            ("balances", currency) => Some(Thing::Balance { currency: Currency::parse(currency).ok()?, tenant }),
            ("movements", _) => Some(Thing::Balance { currency: self.movement()?.currency, tenant }),
            ("events", event) => Some(Thing::Event { id: EventId::parse(event).ok()?, tenant }),
            (event, endpoint) => Some(Thing::Delivery {
                event: EventId::parse(event).ok()?,
                endpoint: EndpointId::parse(endpoint).ok()?,
                tenant,
            }),
        }
    }
}

/// Where a payment is.
pub fn payment(tenant: &Tenant, id: &PaymentId) -> Key {
    Key::new(format!("{tenant}#{id}"), PAYMENT)
}

/// The partition of a shard's payments in the index `listing`.
pub fn payment_listings(tenant: &Tenant, shard: u16) -> String {
    format!("{tenant}#payments#{shard}")
}

/// Where the index `listing` has a payment.
pub fn payment_listing(tenant: &Tenant, shard: u16, created_at: Timestamp, id: &PaymentId) -> Listing {
    Listing { partition: payment_listings(tenant, shard), sort: format!("{created_at}#{id}") }
}

/// The partition of a shard's journal entries.
pub fn journal(tenant: &Tenant, shard: u16) -> String {
    format!("{tenant}#journal#{shard}")
}

/// Where a journal entry is.
pub fn journal_entry(tenant: &Tenant, id: &EntryId) -> Key {
    Key::new(journal(tenant, id.shard()), id.as_str())
}

/// The partition of a shard's movements.
pub fn movements(tenant: &Tenant, shard: u16) -> String {
    format!("{tenant}#movements#{shard}")
}

/// Where a movement is: on the shard that its entry's id names.
pub fn movement(tenant: &Tenant, key: &MovementKey) -> Key {
    Key::new(movements(tenant, key.entry.shard()), format!("{MOVEMENT_PREFIX}{key}"))
}

/// What the sort keys of one currency's movements begin with.
pub fn movements_of(currency: Currency) -> String {
    format!("{MOVEMENT_PREFIX}{currency}#")
}

/// The currency's code in the sort key of a movement, whatever follows it. None if there is no such code.
pub(super) fn currency_of_movement(sk: &str) -> Option<&str> {
    currency_of_balance(sk.strip_prefix(MOVEMENT_PREFIX)?.split_once('#')?.0)
}

/// The currency's code that is the sort key of a balance, known to this version or not. None if it is no such code.
pub(super) fn currency_of_balance(sk: &str) -> Option<&str> {
    Some(sk).filter(|code| code.len() == 3 && code.bytes().all(|byte| byte.is_ascii_uppercase()))
}

/// The partition of a tenant's balances.
pub fn balances(tenant: &Tenant) -> String {
    format!("{tenant}#balances")
}

/// Where a balance is.
pub fn balance(tenant: &Tenant, currency: Currency) -> Key {
    Key::new(balances(tenant), currency.code())
}

/// Where an event is: on the shard that its id names.
pub fn event(tenant: &Tenant, id: &EventId) -> Key {
    Key::new(format!("{tenant}#events#{}", id.shard()), id.as_str())
}

/// The partition of an event's deliveries.
pub fn deliveries(tenant: &Tenant, event: &EventId) -> String {
    format!("{tenant}#{event}")
}

/// Where the delivery of an event to an endpoint is.
pub fn delivery(tenant: &Tenant, event: &EventId, endpoint: &EndpointId) -> Key {
    Key::new(deliveries(tenant, event), endpoint.as_str())
}

/// The partition of an endpoint's pending deliveries in the index `listing`.
pub fn pending_deliveries(tenant: &Tenant, endpoint: &EndpointId) -> String {
    format!("{tenant}#{endpoint}#pending")
}

/// Where the index `listing` has a pending delivery: among those of its endpoint.
pub fn pending_delivery_listing(tenant: &Tenant, event: &EventId, endpoint: &EndpointId) -> Listing {
    Listing { partition: pending_deliveries(tenant, endpoint), sort: event.to_string() }
}

/// Where the index `listing` has a final delivery that failed at least once: among those of its endpoint.
pub fn failed_delivery_listing(tenant: &Tenant, event: &EventId, endpoint: &EndpointId) -> Listing {
    Listing { partition: format!("{tenant}#{endpoint}#deliveries"), sort: event.to_string() }
}

/// The partition of a tenant's webhook endpoints.
pub fn webhook_endpoints(tenant: &Tenant) -> String {
    format!("{tenant}#webhooks")
}

/// Where a webhook endpoint is.
pub fn webhook_endpoint(tenant: &Tenant, id: &EndpointId) -> Key {
    Key::new(webhook_endpoints(tenant), id.as_str())
}

/// Where a tenant's webhook endpoints are counted.
pub fn webhook_endpoint_count(tenant: &Tenant) -> Key {
    Key::new(webhook_endpoints(tenant), "count")
}

/// Where a merchant is.
pub fn merchant(id: &MerchantId) -> Key {
    Key::new(id.as_str(), "merchant")
}

/// Where the index `listing` has a merchant.
pub fn merchant_listing(created_at: Timestamp, id: &MerchantId) -> Listing {
    Listing { partition: "merchants".to_owned(), sort: format!("{created_at}#{id}") }
}

/// Where an API key is found by what a client sends.
pub fn api_key(sha256: &str) -> Key {
    Key::new(format!("key#{sha256}"), "key")
}

/// Where an API key is found by its id, so that issuing it twice makes one.
pub fn api_key_id(merchant: &MerchantId, id: &str) -> Key {
    Key::new(format!("{merchant}#keys"), id)
}

/// Where the sandbox keeps what it was asked to do for a reference under one idempotency key.
pub fn sandbox_call(reference: &str, idempotency_key: &str) -> Key {
    Key::new(format!("sandbox#{reference}"), idempotency_key)
}

/// The partition of the index `due` for an item: always the same one for it.
pub fn due_partition(space: DueSpace, key: &Key) -> String {
    due_partition_at(space, shard_of(&format!("{}#{}", key.pk, key.sk), space.shards()))
}

/// One partition of the index `due`.
pub fn due_partition_at(space: DueSpace, shard: u16) -> String {
    format!("due#{}#{shard}", space.as_str())
}

#[cfg(test)]
mod tests {
    use spillway_domain::tenant::Mode;
    use spillway_domain::time::Day;

    use super::*;

    fn tenant() -> Tenant {
        Tenant { merchant: MerchantId::derive(&["m"]), mode: Mode::Test }
    }

    #[test]
    fn a_message_can_be_made_from_a_key_alone() {
        let tenant = tenant();
        let (pay, evt, we) = (PaymentId::derive(&["p"]), EventId::derive(&["e"]), EndpointId::derive(&["w"]));
        let usd = Currency::parse("USD").unwrap();
        let entry = EntryId::ordered(Timestamp::from_millis(1), 7, &["x"]);
        let moved = MovementKey { currency: usd, value_date: Day::parse("2026-02-02").unwrap(), entry };
        for (key, thing) in [
            (payment(&tenant, &pay), Thing::Payment { tenant: tenant.clone(), id: pay.clone() }),
            (movement(&tenant, &moved), Thing::Balance { tenant: tenant.clone(), currency: usd }),
            (balance(&tenant, usd), Thing::Balance { tenant: tenant.clone(), currency: usd }),
            (event(&tenant, &evt), Thing::Event { tenant: tenant.clone(), id: evt.clone() }),
            (
                delivery(&tenant, &evt, &we),
                Thing::Delivery { tenant: tenant.clone(), event: evt.clone(), endpoint: we.clone() },
            ),
        ] {
            assert_eq!(key.thing(), Some(thing), "{key:?}");
        }
    }

    #[test]
    fn nothing_is_to_be_done_for_other_items() {
        let merchant_id = MerchantId::derive(&["m"]);
        for key in [
            merchant(&merchant_id),
            api_key("00"),
            api_key_id(&merchant_id, "key_1"),
            webhook_endpoint(&tenant(), &EndpointId::derive(&["w"])),
            webhook_endpoint_count(&tenant()),
            journal_entry(&tenant(), &EntryId::derive(&["t"])),
            sandbox_call("pay_1", "authorize"),
            Key::new("junk", PAYMENT),
            Key::new("mer_bad#test#pay_bad", PAYMENT),
        ] {
            assert_eq!(key.thing(), None, "{key:?}");
        }
    }
}
