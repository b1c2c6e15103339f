//! Events and their deliveries.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use spillway_domain::event::{Event, EventType};
use spillway_domain::id::{EndpointId, EndpointKind, EventId, Kind as _, ObjectId};
use spillway_domain::operator::OperatorAction;
use spillway_domain::tenant::Tenant;
use spillway_domain::time::{Expiry, Timestamp};
use spillway_domain::trace::Trace;
use spillway_domain::webhook::{Delivery, DeliveryStatus, WebhookEndpoint};

use super::commit::{Commit, Committed};
use super::due::{DUE, Due};
use super::edit::Edit;
use super::expression::{Comparison, Test};
use super::{Created, EXPIRES_AT, Item, Readable, Store, StoreError, WAKE, attribute, keys, number, text, to_item};
use spillway_wire::view::{EventView, Shown};

/// The most deliveries that one page of an endpoint's list contains.
const DELIVERIES_PAGE: usize = 100;
/// The most deliveries that one transaction sends again. DynamoDB accepts 100 writes: each delivery needs one, and one
/// each for its event and its endpoint; the operator's action is one more.
pub const REDELIVERIES_MAX: usize = 33;

/// A stored event. It contains the object as it was shown when the event happened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoredEvent {
    /// The event's id, which webhooks carry as `webhook-id`.
    pub id: EventId,
    /// The type of the event.
    #[serde(rename = "type")]
    pub event_type: EventType,
    /// The time at which the event happened.
    pub timestamp: Timestamp,
    /// The object, as JSON text.
    pub data: String,
    /// The object's id.
    pub source: ObjectId,
    /// The only endpoint that gets the event. None if every endpoint with its type gets it.
    pub only: Option<EndpointId>,
    /// The id of the request that caused the event.
    pub request_id: String,
    /// The trace that the client sent with this request.
    pub trace: Option<Trace>,
    /// The time from which the event and its deliveries are deleted.
    pub expires_at: Expiry,
    /// The due time that was read with the event. None if it had none.
    #[serde(skip)]
    pub due: Option<Due>,
}

/// A delivery that is to be sent again, with its event and its endpoint as they were read.
#[derive(Debug, Clone)]
pub struct Redelivery {
    /// The event.
    pub event: Arc<StoredEvent>,
    /// The receiving endpoint.
    pub endpoint: WebhookEndpoint,
    /// The delivery as it was read.
    pub before: Delivery,
    /// The delivery as it is to be stored.
    pub after: Delivery,
}

impl StoredEvent {
    /// The event in the form that merchants see. Errors if the stored object is not JSON.
    pub fn view(&self) -> Result<EventView<'_>, StoreError> {
        let data = serde_json::from_str(&self.data);
        let data = data.map_err(|_| StoreError::Corrupt(format!("{}: its data can't be read", self.id)))?;
        Ok(EventView::new(&self.id, self.event_type, self.timestamp, data))
    }
}

impl Store {
    /// The item of a new event about `object`. It has a due time until every endpoint has a delivery.
    pub(super) fn event_item(&self, tenant: &Tenant, event: &Event, object: &impl Shown) -> Result<Item, StoreError> {
        self.stored_event_item(tenant, &self.stored_event(event, object)?)
    }

    /// The item of a new event in its stored form.
    pub(super) fn stored_event_item(&self, tenant: &Tenant, event: &StoredEvent) -> Result<Item, StoreError> {
        let key = keys::event(tenant, &event.id);
        let mut item = to_item(&key, event)?;
        item.extend(self.due(&key, self.first_due(event.timestamp)?));
        Ok(item)
    }

    /// The stored form of a new event about `object`.
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
            trace: event.trace.clone(),
            expires_at: Expiry::after(event.timestamp, self.event_retention_days()?),
            due: None,
        })
    }

    /// An event of this tenant, read strongly. None if it does not exist.
    pub async fn event(&self, tenant: &Tenant, id: &EventId) -> Result<Option<StoredEvent>, StoreError> {
        let read = self.get_with_due(&keys::event(tenant, id)).await?;
        Ok(read.map(|(event, due)| StoredEvent { due, ..event }))
    }

    /// Removes the due time that was read with the event, because every endpoint has the event, or a delivery with its
    /// own due time. A due time that was set since then stays.
    pub async fn event_handed_over(&self, tenant: &Tenant, event: &StoredEvent) -> Result<(), StoreError> {
        match &event.due {
            Some(due) => self.remove_due(&keys::event(tenant, &event.id), due).await,
            None => Ok(()),
        }
    }

    /// All stored deliveries of an event. Deliveries that can't be read are returned as ids of their endpoints.
    pub async fn deliveries(&self, tenant: &Tenant, event: &EventId) -> Result<Readable<Delivery>, StoreError> {
        self.query(&keys::deliveries(tenant, event), EndpointKind::PREFIX, None, |item| self.read(item)).await
    }

    /// The delivery of an event to an endpoint. None if it does not exist.
    pub async fn delivery(
        &self, tenant: &Tenant, event: &EventId, endpoint: &EndpointId,
    ) -> Result<Option<Delivery>, StoreError> {
        self.get(&keys::delivery(tenant, event, endpoint)).await
    }

    /// Stores a delivery after its first attempt, or when it is put off. An existing delivery is not changed.
    pub async fn create_delivery(&self, tenant: &Tenant, delivery: &Delivery) -> Result<Created<Delivery>, StoreError> {
        self.create_item(self.delivery_item(tenant, delivery)?).await
    }

    /// Claims the next attempt of a pending delivery until `until`, so that two copies of a message make one attempt.
    /// None if the delivery is claimed already, or has changed since it was read.
    pub async fn claim_delivery(
        &self, tenant: &Tenant, delivery: &Delivery, until: Timestamp,
    ) -> Result<Option<Delivery>, StoreError> {
        let claimed = delivery.claimed(until);
        Ok(self.replace_delivery(tenant, delivery, &claimed).await?.then_some(claimed))
    }

    /// Replaces a delivery, such as a claimed one after its attempt. False if the delivery is no longer as in `before`,
    /// because the claim was lost.
    pub async fn replace_delivery(
        &self, tenant: &Tenant, before: &Delivery, after: &Delivery,
    ) -> Result<bool, StoreError> {
        let edit = Edit::between(&self.delivery_item(tenant, before)?, &self.delivery_item(tenant, after)?, &DUE);
        let before_at = before.next_attempt_at.map(|at| at.to_string()).unwrap_or_default();
        // A failed early attempt does not change the time of the next attempt, so the count of attempts is compared
        // too.
        let when = vec![Test::is("next_attempt_at", text(before_at)), Test::is("attempts", number(before.attempts))];
        self.edit(&keys::delivery(tenant, &before.event, &before.endpoint), edit, when).await
    }

    /// A page of the events of an endpoint's pending deliveries: the oldest first, from behind the event `after`, at
    /// most [`DELIVERIES_PAGE`]. The second value is whether the page is full, so that more may follow. The index may
    /// lack a delivery that was stored a moment ago.
    pub async fn pending_deliveries(
        &self, tenant: &Tenant, endpoint: &EndpointId, after: Option<&EventId>,
    ) -> Result<(Vec<EventId>, bool), StoreError> {
        let partition = keys::pending_deliveries(tenant, endpoint);
        self.listed_events(partition, after.map_or(keys::ENDS.0, EventId::as_str)).await
    }

    /// The same for an endpoint's final deliveries that have failed at least once, from behind the text `after`.
    pub async fn failed_deliveries(
        &self, tenant: &Tenant, endpoint: &EndpointId, after: &str,
    ) -> Result<(Vec<EventId>, bool), StoreError> {
        self.listed_events(keys::failed_deliveries(tenant, endpoint), after).await
    }

    async fn listed_events(&self, partition: String, after: &str) -> Result<(Vec<EventId>, bool), StoreError> {
        let page = self
            .client
            .query()
            .table_name(&self.table)
            .index_name("listing")
            .key_condition_expression("#partition = :partition AND #sort > :after")
            .expression_attribute_names("#partition", keys::LISTING.0)
            .expression_attribute_names("#sort", keys::LISTING.1)
            .expression_attribute_values(":partition", text(partition))
            .expression_attribute_values(":after", text(after))
            .limit(i32::try_from(DELIVERIES_PAGE).unwrap_or(i32::MAX))
            .send()
            .await
            .map_err(StoreError::from_sdk)?;
        let event = |row: &Item| EventId::parse(row.get(keys::LISTING.1)?.as_s().ok()?).ok();
        let rows = page.items.unwrap_or_default();
        Ok((rows.iter().filter_map(event).collect(), rows.len() == DELIVERIES_PAGE))
    }

    /// The time until which an event that is sent again at `now` is stored at least.
    pub fn event_expiry(&self, now: Timestamp) -> Result<Expiry, StoreError> {
        Ok(Expiry::after(now, self.event_retention_days()?))
    }

    /// Stores deliveries that are to be sent again and the operator's action, in one transaction, and raises their
    /// `wake`: the stream then brings the messages for their attempts. Their events are stored as long as they are. At
    /// most [`REDELIVERIES_MAX`].
    /// Refused if an event has expired, an endpoint was changed or deleted, or a delivery is no longer as it was read.
    pub async fn redeliver(
        &self, tenant: &Tenant, redeliveries: &[Redelivery], action: &OperatorAction,
    ) -> Result<Committed<()>, StoreError> {
        let now = number(action.created_at.seconds());
        let exists = || Test::LacksOrCompares(EXPIRES_AT, Comparison::Above, now.clone());
        let (mut events, mut endpoints) = (BTreeMap::new(), BTreeMap::new());
        for Redelivery { event, endpoint, after, .. } in redeliveries {
            let expires_at = events.entry(&event.id).or_insert(event.expires_at);
            *expires_at = after.expires_at.max(*expires_at);
            endpoints.insert(&endpoint.meta.id, endpoint.meta.version);
        }
        let mut commit = Commit::new().contended();
        // An event comes first, because a refused commit reads the first item, which needs a right of the function.
        for (event, expires_at) in events {
            let edit = Edit::new().set(EXPIRES_AT, number(expires_at.seconds()));
            commit = commit.edit(keys::event(tenant, event), edit, vec![Test::Exists, exists()], |_, _| Ok(()));
        }
        for Redelivery { before, after, .. } in redeliveries {
            let (before_item, after_item) = (self.delivery_item(tenant, before)?, self.delivery_item(tenant, after)?);
            let edit = Edit::between(&before_item, &after_item, &DUE).add(WAKE, 1);
            let status = attribute(&before.status)?;
            let when = vec![Test::is("status", status), Test::is("attempts", number(before.attempts)), exists()];
            commit = commit.edit(keys::delivery(tenant, &before.event, &before.endpoint), edit, when, |_, _| Ok(()));
        }
        for (endpoint, version) in endpoints {
            let unchanged = vec![Test::is("version", number(version))];
            commit = commit.check(keys::webhook_endpoint(tenant, endpoint), unchanged, |_, _| Ok(()));
        }
        self.commit(commit.by_operator(action)?).await
    }

    /// The item of a delivery. A pending delivery is due some time after its next attempt, because its message usually
    /// comes earlier, and is in the list of its endpoint's pending deliveries. A final delivery that has failed once is
    /// in the list of its endpoint's failures.
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
