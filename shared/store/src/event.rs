//! Events and their deliveries.

use serde::{Deserialize, Serialize};
use spillway_domain::event::{Event, EventType};
use spillway_domain::id::{EndpointId, EventId, ObjectId};
use spillway_domain::tenant::Tenant;
use spillway_domain::time::{Expiry, Timestamp};
use spillway_domain::webhook::{Delivery, DeliveryStatus};

use super::due::{DUE, Due};
use super::edit::Edit;
use super::expression::Test;
use super::{Created, Item, Readable, Store, StoreError, keys, number, text, to_item};
use spillway_wire::view::{EventView, Shown};

/// Pending deliveries that are read at a time.
const PENDING_PAGE: usize = 100;

/// An event as stored: its object is kept as it was rendered when it happened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoredEvent {
    /// Its id, which is also the webhooks'.
    pub id: EventId,
    /// The type of the event.
    #[serde(rename = "type")]
    pub event_type: EventType,
    /// The time at which it happened.
    pub timestamp: Timestamp,
    /// The object, as JSON text.
    pub data: String,
    /// The object's id.
    pub source: ObjectId,
    /// The one endpoint that it is for. None if it is for all that want events of its type.
    pub only: Option<EndpointId>,
    /// The request that began it.
    pub request_id: String,
    /// When it is deleted, and its deliveries with it.
    pub expires_at: Expiry,
    /// Its due time when it was read. None if it was not due.
    #[serde(skip)]
    pub due: Option<Due>,
}

impl StoredEvent {
    /// The event as its merchant sees it. An error if the stored object is not JSON.
    pub fn view(&self) -> Result<EventView<'_>, StoreError> {
        let data = serde_json::from_str(&self.data);
        let data = data.map_err(|_| StoreError::Corrupt(format!("{}: its data can't be read", self.id)))?;
        Ok(EventView::new(&self.id, self.event_type, self.timestamp, data))
    }
}

impl Store {
    /// The item of a new event, due itself until every endpoint has it. It shows its object as `object` is.
    pub(super) fn event_item(&self, tenant: &Tenant, event: &Event, object: &impl Shown) -> Result<Item, StoreError> {
        self.stored_event_item(tenant, &self.stored_event(event, object)?)
    }

    /// The same, of an event as stored.
    pub(super) fn stored_event_item(&self, tenant: &Tenant, event: &StoredEvent) -> Result<Item, StoreError> {
        let key = keys::event(tenant, &event.id);
        let mut item = to_item(&key, event)?;
        item.extend(self.due(&key, self.first_due(event.timestamp)?));
        Ok(item)
    }

    /// A new event as it will be stored.
    pub(super) fn stored_event(&self, event: &Event, object: &impl Shown) -> Result<StoredEvent, StoreError> {
        let data = serde_json::to_string(&object.shown());
        Ok(StoredEvent {
            id: event.id.clone(),
            event_type: event.event_type,
            timestamp: event.timestamp,
            data: data.map_err(|error| StoreError::Corrupt(error.to_string()))?,
            source: event.source.clone(),
            only: event.only.clone(),
            request_id: event.request_id.clone(),
            expires_at: Expiry::after(event.timestamp, self.event_retention_days()?),
            due: None,
        })
    }

    /// An event of this tenant.
    pub async fn event(&self, tenant: &Tenant, id: &EventId) -> Result<Option<StoredEvent>, StoreError> {
        let read = self.get_with_due(&keys::event(tenant, id)).await?;
        Ok(read.map(|(event, due)| StoredEvent { due, ..event }))
    }

    /// Every endpoint has the event, or a delivery with a due time of its own: the due time that was read with the event
    /// is removed. One that was set since stays.
    pub async fn event_handed_over(&self, tenant: &Tenant, event: &StoredEvent) -> Result<(), StoreError> {
        match &event.due {
            Some(due) => self.remove_due(&keys::event(tenant, &event.id), due).await,
            None => Ok(()),
        }
    }

    /// All deliveries of an event that had an attempt; of those that can't be read, the endpoints' ids.
    pub async fn deliveries(&self, tenant: &Tenant, event: &EventId) -> Result<Readable<Delivery>, StoreError> {
        self.query(&keys::deliveries(tenant, event), "we_", None, |item| self.read(item)).await
    }

    /// One delivery.
    pub async fn delivery(
        &self, tenant: &Tenant, event: &EventId, endpoint: &EndpointId,
    ) -> Result<Option<Delivery>, StoreError> {
        self.get(&keys::delivery(tenant, event, endpoint)).await
    }

    /// Stores a delivery after its first attempt; one that is there already stays.
    pub async fn create_delivery(&self, tenant: &Tenant, delivery: &Delivery) -> Result<Created<Delivery>, StoreError> {
        self.create_item(self.delivery_item(tenant, delivery)?).await
    }

    /// Takes the right to the next attempt of a pending delivery until `until`, so that two copies of a message make
    /// one attempt. None if another has it, or the delivery has moved on.
    pub async fn claim_delivery(
        &self, tenant: &Tenant, delivery: &Delivery, until: Timestamp,
    ) -> Result<Option<Delivery>, StoreError> {
        let claimed = delivery.claimed(until);
        Ok(self.replace_delivery(tenant, delivery, &claimed).await?.then_some(claimed))
    }

    /// Stores how the attempt of a claimed delivery ended. False if the claim was lost meanwhile.
    pub async fn replace_delivery(
        &self, tenant: &Tenant, before: &Delivery, after: &Delivery,
    ) -> Result<bool, StoreError> {
        let edit = Edit::between(&self.delivery_item(tenant, before)?, &self.delivery_item(tenant, after)?, &DUE);
        let before_at = before.next_attempt_at.map(|at| at.to_string()).unwrap_or_default();
        // An early attempt that fails leaves the time of the next as it was: the count tells the two apart.
        let when = vec![Test::is("next_attempt_at", text(before_at)), Test::is("attempts", number(before.attempts))];
        self.edit(&keys::delivery(tenant, &before.event, &before.endpoint), edit, when).await
    }

    /// The events of an endpoint's pending deliveries behind the event `after`, the oldest first, at most
    /// [`PENDING_PAGE`], and whether the page is full, so that more may follow. They come from the index: one that was
    /// stored an instant ago may be missing.
    pub async fn pending_deliveries(
        &self, tenant: &Tenant, endpoint: &EndpointId, after: Option<&EventId>,
    ) -> Result<(Vec<EventId>, bool), StoreError> {
        let page = self
            .client
            .query()
            .table_name(&self.table)
            .index_name("listing")
            .key_condition_expression("#partition = :partition AND #sort > :after")
            .expression_attribute_names("#partition", keys::LISTING.0)
            .expression_attribute_names("#sort", keys::LISTING.1)
            .expression_attribute_values(":partition", text(keys::pending_deliveries(tenant, endpoint)))
            .expression_attribute_values(":after", text(after.map_or(keys::ENDS.0, EventId::as_str)))
            .limit(i32::try_from(PENDING_PAGE).unwrap_or(i32::MAX))
            .send()
            .await
            .map_err(StoreError::from_sdk)?;
        let event = |row: &Item| EventId::parse(row.get(keys::LISTING.1)?.as_s().ok()?).ok();
        let rows = page.items.unwrap_or_default();
        Ok((rows.iter().filter_map(event).collect(), rows.len() == PENDING_PAGE))
    }

    /// A pending delivery is due some time after its next attempt: its message comes earlier, if it comes. It is in the
    /// list of what waits for its endpoint. A final one that has failed once is in the list of its endpoint's failures.
    fn delivery_item(&self, tenant: &Tenant, delivery: &Delivery) -> Result<Item, StoreError> {
        let key = keys::delivery(tenant, &delivery.event, &delivery.endpoint);
        let mut item = to_item(&key, delivery)?;
        if let (DeliveryStatus::Pending, Some(next)) = (delivery.status, delivery.next_attempt_at) {
            item.extend(self.due(&key, self.first_due(next)?));
            keys::pending_delivery_listing(tenant, &delivery.event, &delivery.endpoint).put_into(&mut item);
        } else if delivery.has_failed_once() {
            keys::failed_delivery_listing(tenant, &delivery.event, &delivery.endpoint).put_into(&mut item);
        }
        Ok(item)
    }
}
