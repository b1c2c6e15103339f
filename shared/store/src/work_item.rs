//! The name of an item that may need work, as messages carry it.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize};
use spillway_domain::balance::part_of;
use spillway_domain::currency::Currency;
use spillway_domain::id::{EndpointId, EventId, Id, Kind as IdKind, ObjectId};
use spillway_domain::tenant::Tenant;

use super::due::DueGroup;
use super::keys::{self, TableKey};
use super::kinds::{Name, Parsed, Pattern, QueueName, WorkKind, due_group, known};

/// An item that may need work, identified by its table key.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize)]
pub struct WorkItem {
    /// The item's kind.
    pub kind: WorkKind,
    #[serde(flatten)]
    key: TableKey,
    /// For a webhook endpoint: the event behind which the next page of its deliveries begins. None for the first page,
    /// and for other kinds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub after: Option<EventId>,
    #[serde(skip)]
    tenant: Tenant,
}

impl WorkItem {
    /// The item with this key, or the balance that a movement with this key changes. None if no work is known for such
    /// a key.
    pub fn of(key: &TableKey) -> Option<WorkItem> {
        let (parsed, work) = known(key)?;
        let key = match work.partition {
            Pattern::Is(keys::MOVEMENTS) => {
                let movement = key.movement()?;
                keys::balance(&parsed.tenant, movement.currency, part_of(parsed.shard))
            }
            _ => key.clone(),
        };
        let item = WorkItem { kind: work.kind, key, after: None, tenant: parsed.tenant };
        item.is_well_formed(work.name).then_some(item)
    }

    /// Sets the event behind which the next page begins.
    #[must_use]
    pub fn after(self, after: Option<EventId>) -> WorkItem {
        WorkItem { after, ..self }
    }

    /// The item's table key.
    pub fn key(&self) -> &TableKey {
        &self.key
    }

    /// The merchant and mode that own the item.
    pub fn tenant(&self) -> &Tenant {
        &self.tenant
    }

    /// The queue to which the item's messages are sent.
    pub fn queue(&self) -> QueueName {
        known(&self.key).map_or(QueueName::Processor, |(_, work)| work.queue)
    }

    /// The due group of the item. None if such an item is never due.
    pub fn due_group(&self) -> Option<DueGroup> {
        due_group(&self.key)
    }

    /// The id in the partition key. None if it is not an id of this kind.
    pub fn id<K: IdKind>(&self) -> Option<Id<K>> {
        Id::parse(&self.parsed()?.partition).ok()
    }

    /// The id of the event, for an event or a delivery. None for other kinds.
    pub fn event(&self) -> Option<EventId> {
        EventId::parse(&self.key.sk).ok().or_else(|| self.id())
    }

    /// The id of the webhook endpoint, for an endpoint or a delivery. None for other kinds.
    pub fn endpoint(&self) -> Option<EndpointId> {
        EndpointId::parse(&self.key.sk).ok()
    }

    /// The currency and the part, for a balance. None for other kinds.
    pub fn balance(&self) -> Option<(Currency, u16)> {
        Some((Currency::parse(&self.key.sk).ok()?, self.parsed()?.shard))
    }

    /// The ids that name the item in the log, the most important first.
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

    /// Whether the ids in the key are well-formed.
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

/// Writes the item's names in the log, separated by spaces.
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
