//! An item that may need work, as messages name it.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize};
use spillway_domain::balance::part_of;
use spillway_domain::currency::Currency;
use spillway_domain::id::{EndpointId, EventId, Id, Kind as IdKind, ObjectId};
use spillway_domain::tenant::Tenant;

use super::keys::{self, TableKey};
use super::kinds::{Name, Parsed, Pattern, QueueName, WorkKind, known};

/// An item that may need work, as a message names it: by its key.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize)]
pub struct WorkItem {
    /// Its kind.
    pub kind: WorkKind,
    #[serde(flatten)]
    key: TableKey,
    /// Of a webhook endpoint: the event behind which the next page of its deliveries begins. None for the first page.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub after: Option<EventId>,
    #[serde(skip)]
    tenant: Tenant,
}

impl WorkItem {
    /// The item with this key, or the balance that a movement with this key changes. None if no work is known for such a
    /// key.
    pub fn of(key: &TableKey) -> Option<WorkItem> {
        let (parsed, work) = known(key)?;
        let key = match work.partition {
            Pattern::Is("movements") => {
                let movement = key.movement()?;
                keys::balance(&parsed.tenant, movement.currency, part_of(parsed.shard))
            }
            _ => key.clone(),
        };
        let item = WorkItem { kind: work.kind, key, after: None, tenant: parsed.tenant };
        item.is_well_formed(work.name).then_some(item)
    }

    /// The same, with the event behind which the next page begins.
    #[must_use]
    pub fn after(self, after: Option<EventId>) -> WorkItem {
        WorkItem { after, ..self }
    }

    /// Its key.
    pub fn key(&self) -> &TableKey {
        &self.key
    }

    /// Merchant and mode that own it.
    pub fn tenant(&self) -> &Tenant {
        &self.tenant
    }

    /// The queue that its messages are sent to.
    pub fn queue(&self) -> QueueName {
        known(&self.key).map_or(QueueName::Processor, |(_, work)| work.queue)
    }

    /// The id in its partition key. None if that is not an id of this kind.
    pub fn id<K: IdKind>(&self) -> Option<Id<K>> {
        Id::parse(&self.parsed()?.partition).ok()
    }

    /// The event: of an event itself, or of a delivery.
    pub fn event(&self) -> Option<EventId> {
        EventId::parse(&self.key.sk).ok().or_else(|| self.id())
    }

    /// The webhook endpoint: of an endpoint itself, or of a delivery.
    pub fn endpoint(&self) -> Option<EndpointId> {
        EndpointId::parse(&self.key.sk).ok()
    }

    /// Of a balance: its currency and its part.
    pub fn balance(&self) -> Option<(Currency, u16)> {
        Some((Currency::parse(&self.key.sk).ok()?, self.parsed()?.shard))
    }

    /// The ids that name it in the log, the most telling first.
    pub fn names(&self) -> Vec<String> {
        let (Some(parsed), Some((_, work))) = (self.parsed(), known(&self.key)) else { return Vec::new() };
        let sort = self.key.sk.clone();
        match work.name {
            Name::Partition => vec![parsed.partition],
            Name::Sort => vec![sort],
            Name::Both => vec![parsed.partition, sort],
            Name::ModeAndCurrency => vec![format!("{} {sort}", self.tenant.mode)],
        }
    }

    /// Whether the ids in its key are ids.
    fn is_well_formed(&self, name: Name) -> bool {
        let is_id = |text: &str| ObjectId::parse(text).is_ok();
        let partition = || self.parsed().is_some_and(|parsed| is_id(&parsed.partition));
        match name {
            Name::Partition => partition(),
            Name::Sort => is_id(&self.key.sk),
            Name::Both => partition() && is_id(&self.key.sk),
            Name::ModeAndCurrency => self.balance().is_some(),
        }
    }

    fn parsed(&self) -> Option<Parsed> {
        Parsed::of(&self.key.pk)
    }
}

/// Its names in the log.
impl fmt::Display for WorkItem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.names().join(" "))
    }
}

impl<'de> Deserialize<'de> for WorkItem {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<WorkItem, D::Error> {
        #[derive(Deserialize)]
        struct Message {
            #[serde(flatten)]
            key: TableKey,
            #[serde(default)]
            after: Option<EventId>,
        }
        let Message { key, after } = Message::deserialize(deserializer)?;
        let item = WorkItem::of(&key).ok_or_else(|| serde::de::Error::custom("no work is known for this key"))?;
        Ok(item.after(after))
    }
}
