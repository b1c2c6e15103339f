//! Collecting the history of an item from the items that belong to it. Their keys follow from the item: ids of entries
//! and events are made of time, shard, and the object's id and version.

mod delivery;
mod ledger;
mod object;
mod operator;

use std::collections::BTreeMap;

use spillway_domain::id::{EventId, PaymentId, RefundId};
use spillway_domain::payment::Payment;
use spillway_domain::refund::Refund;
use spillway_domain::tenant::Tenant;
use spillway_store::{TableKey, keys};

use crate::error::TraceError;
use crate::find::Found;
use crate::history::{History, text};
use crate::table::{Item, Table};
use crate::target::Target;

/// The walk over the items of one tenant.
struct Walk<'a> {
    table: &'a Table,
    tenant: &'a Tenant,
    history: History,
    /// The tenant's webhook endpoints by id. None until they are read.
    endpoints: Option<BTreeMap<String, Item>>,
}

/// The history of an item that was found.
pub async fn walk(table: &Table, target: &Target, found: &Found) -> Result<History, TraceError> {
    let mut walk = Walk { table, tenant: &found.tenant, history: History::default(), endpoints: None };
    let item = &found.item;
    match target {
        Target::Payment(_) => walk.payment(item).await?,
        Target::Refund(_) => walk.refund(item).await?,
        Target::Entry(id) => {
            walk.history.name(id.as_str());
            walk.source_of(item).await?;
        }
        Target::Event(id) => walk.event(id, item, None).await?,
        Target::Delivery(event, endpoint) => {
            match table.item(&keys::event(&found.tenant, event)).await? {
                Some(item) => walk.event(event, &item, Some(endpoint.as_str())).await?,
                // The event may have expired a moment before its deliveries.
                None => walk.deliveries(event, Some(endpoint.as_str())).await?,
            }
        }
        Target::Endpoint(id) => walk.endpoint(id, item).await?,
        Target::Key(_) => walk.api_key(item),
        Target::Request(_) => {}
    }
    // Steps of the same time stay in the order of the walk: cause before effect.
    walk.history.steps.sort_by(|one, other| one.at.cmp(&other.at));
    Ok(walk.history)
}

impl Walk<'_> {
    /// The history of the object that caused an entry. If it is of an unknown kind, only the entry is shown.
    async fn source_of(&mut self, entry: &Item) -> Result<(), TraceError> {
        let source = text(entry, "source");
        let key = self.object_key(source);
        match (&key, self.item(key.as_ref()).await?) {
            (Some(key), Some(item)) if key.sk == "refund" => self.refund(&item).await,
            (Some(_), Some(item)) => self.payment(&item).await,
            _ => self.entry(entry).await,
        }
    }

    fn object_key(&self, id: &str) -> Option<TableKey> {
        let payment = PaymentId::parse(id).map(|id| keys::resource::<Payment>(self.tenant, &id));
        payment.or_else(|_| RefundId::parse(id).map(|id| keys::resource::<Refund>(self.tenant, &id))).ok()
    }

    async fn item(&self, key: Option<&TableKey>) -> Result<Option<Item>, TraceError> {
        match key {
            Some(key) => self.table.item(key).await,
            None => Ok(None),
        }
    }

    /// The event at this time of an object's version, with its deliveries. Nothing if there is none.
    async fn event_of(&mut self, id: &EventId) -> Result<(), TraceError> {
        match self.table.item(&keys::event(self.tenant, id)).await? {
            Some(item) => self.event(id, &item, None).await,
            None => Ok(()),
        }
    }
}
