//! Webhook endpoints.

use aws_sdk_dynamodb::types::AttributeValue;
use serde::{Deserialize, Serialize};
use spillway_domain::event::{Event, EventType};
use spillway_domain::id::{EndpointId, EndpointKind, EventId, Kind as _};
use spillway_domain::tenant::Tenant;
use spillway_domain::time::{Expiry, Timestamp};
use spillway_domain::webhook::{ENABLED_MAX, ENDPOINTS_MAX, EndpointStatus, LastTest, WebhookEndpoint};

use super::commit::{Commit, Committed};
use super::edit::Edit;
use super::expression::{Comparison, Test};
use super::{EXPIRES_AT, Readable, Store, StoreError, StoredEvent, WAKE, attribute, keys, number, text, to_item};

/// Days for which the tombstone of a deleted endpoint is stored. During that time, a repeated
/// creation does not create it again.
const TOMBSTONE_DAYS: u32 = 30;
/// Health attributes. Writing them does not raise `version`.
const HEALTH: [&str; 3] = ["failing_since", "probe_at", "works_since"];

/// The item that counts the endpoints of a tenant.
#[derive(Debug, Default, Deserialize)]
struct Count {
    #[serde(default)]
    endpoints: usize,
}

/// The tombstone of a deleted endpoint.
#[derive(Debug, Serialize)]
struct Tombstone {
    deleted_at: Timestamp,
    expires_at: Expiry,
}

/// The test that no tombstone exists, or that it has expired: the table deletes it some time later.
fn gone(now: Timestamp) -> Test {
    Test::LacksOrCompares(EXPIRES_AT, Comparison::Below, number(now.seconds() + 1))
}

/// Why an endpoint was not created.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NotCreated {
    /// The same request created this endpoint before.
    Existing(Box<WebhookEndpoint>),
    /// The same request created an endpoint that has been deleted.
    Deleted,
    /// The tenant has [`ENABLED_MAX`] enabled endpoints already.
    TooManyEnabled,
    /// The tenant has [`ENDPOINTS_MAX`] endpoints already.
    TooMany,
}

/// The stored attributes of an endpoint that a deletion compares.
#[derive(Debug, Clone)]
pub struct DeletableEndpoint {
    version: Option<AttributeValue>,
    status: Option<AttributeValue>,
}

impl DeletableEndpoint {
    /// The endpoint's version. None if it can't be read.
    pub fn version(&self) -> Option<u64> {
        self.version.as_ref()?.as_n().ok()?.parse().ok()
    }
}

/// Why an endpoint was not updated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NotUpdated {
    /// The endpoint has changed since it was read, or is deleted.
    Stale,
    /// The update enables the endpoint, and the tenant has [`ENABLED_MAX`] enabled endpoints already.
    TooManyEnabled,
}

impl Store {
    /// Stores a new endpoint and counts it, in one transaction. Refused if the tenant already has [`ENABLED_MAX`]
    /// enabled endpoints, or [`ENDPOINTS_MAX`] in all.
    pub async fn create_webhook_endpoint(
        &self, endpoint: &WebhookEndpoint,
    ) -> Result<Committed<NotCreated>, StoreError> {
        let (owner, id) = (&endpoint.meta.owner, &endpoint.meta.id);
        let room = vec![below("endpoints", ENDPOINTS_MAX), below("enabled", ENABLED_MAX)];
        let commit = Commit::new()
            .create(to_item(&keys::webhook_endpoint(owner, id), endpoint)?, |store, found| {
                store.read(found).map(|found| NotCreated::Existing(Box::new(found)))
            })?
            .check(keys::deleted_webhook_endpoint(owner, id), vec![gone((self.now)())], |_, _| Ok(NotCreated::Deleted))
            .edit(
                keys::webhook_endpoint_count(owner),
                Edit::new().add("endpoints", 1).add("enabled", 1),
                room,
                |store, found| {
                    let count: Count = found.map(|found| store.read(found)).transpose()?.unwrap_or_default();
                    // If the limit of all endpoints is not reached, the other limit is.
                    let all = count.endpoints >= ENDPOINTS_MAX;
                    Ok(if all { NotCreated::TooMany } else { NotCreated::TooManyEnabled })
                },
            )
            .contended();
        self.commit(commit).await
    }

    /// Changes an endpoint from `before` to `after`, on condition that its version has not changed. If this enables or
    /// disables the endpoint, the same transaction updates the count. Refused if more than [`ENABLED_MAX`] would be
    /// enabled.
    pub async fn update_webhook_endpoint(
        &self, before: &WebhookEndpoint, after: &WebhookEndpoint,
    ) -> Result<Committed<NotUpdated>, StoreError> {
        let owner = &after.meta.owner;
        let key = keys::webhook_endpoint(owner, &after.meta.id);
        let counts_as_working = before.works_since != after.works_since;
        // The health attributes may have changed since they were read.
        let always: &[&str] = if counts_as_working { &HEALTH } else { &[] };
        let edit = Edit::between(&to_item(&key, before)?, &to_item(&key, after)?, always);
        // The stream then brings the message that sends the pending deliveries.
        let edit = if counts_as_working { edit.add(WAKE, 1) } else { edit };
        let when = vec![Test::is("version", number(before.meta.version))];
        let commit = Commit::new().edit(key, edit, when, |_, _| Ok(NotUpdated::Stale));
        let counted = |commit: Commit<'static, NotUpdated>, enabled, room| {
            let edit = Edit::new().add("enabled", enabled);
            let refused = |_: &Store, _| Ok(NotUpdated::TooManyEnabled);
            commit.edit(keys::webhook_endpoint_count(owner), edit, room, refused).contended()
        };
        let commit = match (before.status, after.status) {
            (EndpointStatus::Enabled, EndpointStatus::Disabled) => counted(commit, -1, Vec::new()),
            (EndpointStatus::Disabled, EndpointStatus::Enabled) => {
                counted(commit, 1, vec![below("enabled", ENABLED_MAX)])
            }
            _ => commit,
        };
        self.commit(commit).await
    }

    /// The attributes that a deletion compares, read strongly. They can be read even if the rest of the endpoint can't.
    /// None if the endpoint does not exist.
    pub async fn deletable_webhook_endpoint(
        &self, tenant: &Tenant, id: &EndpointId,
    ) -> Result<Option<DeletableEndpoint>, StoreError> {
        let item = self.get_item(&keys::webhook_endpoint(tenant, id)).await?;
        Ok(item.map(|item| DeletableEndpoint {
            version: item.get("version").cloned(),
            status: item.get("status").cloned(),
        }))
    }

    /// Deletes an endpoint, stores its tombstone and lowers the count, in one transaction. Refused if its version or
    /// status has changed since it was read, or if it is deleted already.
    pub async fn delete_webhook_endpoint(
        &self, owner: &Tenant, id: &EndpointId, as_read: DeletableEndpoint, now: Timestamp,
    ) -> Result<Committed<()>, StoreError> {
        let DeletableEndpoint { version, status } = as_read;
        let tombstone = Tombstone { deleted_at: now, expires_at: Expiry::after(now, TOMBSTONE_DAYS) };
        let is_enabled = status == Some(attribute(&EndpointStatus::Enabled)?);
        let count = Edit::new().add("endpoints", -1).add("enabled", if is_enabled { -1 } else { 0 });
        let unchanged = |name, value: Option<_>| value.map_or(Test::Lacks(name), |value| Test::is(name, value));
        let when = vec![Test::Exists, unchanged("version", version), unchanged("status", status)];
        let commit = Commit::new()
            .delete(keys::webhook_endpoint(owner, id), when, |_, _| Ok(()))
            // A concurrent deletion may have stored the tombstone.
            .replace(to_item(&keys::deleted_webhook_endpoint(owner, id), &tombstone)?, vec![gone(now)], |_, _| Ok(()))?
            .edit(keys::webhook_endpoint_count(owner), count, Vec::new(), |_, _| Ok(()))
            .contended();
        self.commit(commit).await
    }

    /// Whether an endpoint was deleted in the last [`TOMBSTONE_DAYS`] days.
    pub async fn webhook_endpoint_was_deleted(&self, tenant: &Tenant, id: &EndpointId) -> Result<bool, StoreError> {
        Ok(self.get_item(&keys::deleted_webhook_endpoint(tenant, id)).await?.is_some())
    }

    /// Stores the event of a test, and the test in the endpoint, in one transaction. Returns the stored event. None if
    /// the endpoint's version has changed since it was read, the endpoint is deleted, or the same request was accepted
    /// before.
    pub async fn test_webhook_endpoint(
        &self, endpoint: &WebhookEndpoint, test: &LastTest, event: &Event,
    ) -> Result<Option<StoredEvent>, StoreError> {
        let owner = &endpoint.meta.owner;
        let event = self.stored_event(event, endpoint)?;
        let when = vec![
            Test::is("version", number(endpoint.meta.version)),
            Test::LacksOrCompares("last_test.key", Comparison::IsNot, attribute(&test.key)?),
        ];
        let commit = Commit::new()
            .edit(
                keys::webhook_endpoint(owner, &endpoint.meta.id),
                Edit::new().set("last_test", attribute(test)?),
                when,
                |_, _| Ok(()),
            )
            .create(self.stored_event_item(owner, &event)?, |_, _| Ok(()))?;
        Ok(match self.commit(commit).await? {
            Committed::Done => Some(event),
            Committed::Refused(()) => None,
        })
    }

    /// An endpoint of this tenant, read strongly. None if it does not exist or belongs to another tenant.
    pub async fn webhook_endpoint(
        &self, tenant: &Tenant, id: &EndpointId,
    ) -> Result<Option<WebhookEndpoint>, StoreError> {
        self.get(&keys::webhook_endpoint(tenant, id)).await
    }

    /// All endpoints of a tenant, read strongly, so that an endpoint gets every event after its creation. Endpoints
    /// that can't be read are returned as ids.
    pub async fn webhook_endpoints(&self, tenant: &Tenant) -> Result<Readable<WebhookEndpoint>, StoreError> {
        self.query(&keys::webhook_endpoints(tenant), EndpointKind::PREFIX, None, |item| self.read(item)).await
    }

    /// Stores the time since which an endpoint fails. An earlier time stays. Nothing is stored if the version has
    /// changed since the endpoint was read, because its address may have changed.
    pub async fn endpoint_fails(&self, endpoint: &WebhookEndpoint, since: Timestamp) -> Result<(), StoreError> {
        let edit = Edit::new().set("failing_since", text(since.to_string()));
        let when = vec![Test::is("version", number(endpoint.meta.version)), Test::Lacks("failing_since")];
        let key = keys::webhook_endpoint(&endpoint.meta.owner, &endpoint.meta.id);
        self.edit(&key, edit, when).await.map(drop)
    }

    /// Stores that an endpoint works again. It was failing, but not down. If it is down meanwhile, only a probe can
    /// end that.
    pub async fn endpoint_works(&self, tenant: &Tenant, id: &EndpointId) -> Result<(), StoreError> {
        let when = vec![Test::Has("failing_since"), Test::Lacks("probe_at")];
        self.edit(&keys::webhook_endpoint(tenant, id), Edit::new().remove("failing_since"), when).await.map(drop)
    }

    /// Stores that an endpoint that was down works again at `now`, and raises its `wake`: the message then sends the
    /// deliveries that were put off. False if this was stored already. An endpoint that was only slow has no recovery:
    /// its failed deliveries keep their planned times.
    pub async fn endpoint_recovered(&self, endpoint: &WebhookEndpoint, now: Timestamp) -> Result<bool, StoreError> {
        let edit = Edit::new().remove("failing_since").remove("probe_at").add(WAKE, 1);
        let (edit, was_down) = match endpoint.failing_since {
            Some(_) => (edit.set("works_since", text(now.to_string())), "failing_since"),
            None => (edit, "probe_at"),
        };
        let key = keys::webhook_endpoint(&endpoint.meta.owner, &endpoint.meta.id);
        self.edit(&key, edit, vec![Test::Has(was_down)]).await
    }

    /// Claims the next probe of an endpoint, and sets the time of the one after it, `next`. A slow attempt claims the
    /// first one; the endpoint is down from then on. False if the probe is claimed already, or the endpoint has changed
    /// since it was read: it works again, or its version differs.
    pub async fn claim_probe(&self, endpoint: &WebhookEndpoint, next: Timestamp) -> Result<bool, StoreError> {
        let edit = Edit::new().set("probe_at", text(next.to_string()));
        let mut when = vec![Test::is("version", number(endpoint.meta.version))];
        when.push(match endpoint.probe_at {
            Some(at) => Test::is("probe_at", text(at.to_string())),
            None => Test::Lacks("probe_at"),
        });
        when.extend(endpoint.failing_since.map(|_| Test::Has("failing_since")));
        self.edit(&keys::webhook_endpoint(&endpoint.meta.owner, &endpoint.meta.id), edit, when).await
    }

    /// Disables an endpoint, lowers the count of enabled endpoints and stores the event, in one transaction. Returns the
    /// event's id. None, and nothing is written, if the endpoint is disabled already, or if its `failing_since` is no longer the given one
    /// (None for an endpoint that answered 410: then it is not compared).
    pub async fn disable_endpoint(
        &self, endpoint: &WebhookEndpoint, failing_since: Option<Timestamp>, now: Timestamp,
    ) -> Result<Option<EventId>, StoreError> {
        let disabled = endpoint.disabled(now);
        let owner = &disabled.meta.owner;
        let event = Event::of(EventType::WebhookEndpointDisabled, &disabled.meta);
        let edit = Edit::new()
            .set("status", attribute(&disabled.status)?)
            .set("version", number(disabled.meta.version))
            .set("updated_at", text(now.to_string()));
        let mut when = vec![
            Test::is("status", attribute(&EndpointStatus::Enabled)?),
            Test::Compares("version", Comparison::Below, number(disabled.meta.version)),
        ];
        when.extend(failing_since.map(|since| Test::is("failing_since", text(since.to_string()))));
        let count = Edit::new().add("enabled", -1);
        let commit = Commit::new()
            .edit(keys::webhook_endpoint(owner, &disabled.meta.id), edit, when, |_, _| Ok(()))
            .edit(keys::webhook_endpoint_count(owner), count, Vec::new(), |_, _| Ok(()))
            .follow(self.event_item(owner, &event, &disabled)?)?
            .contended();
        Ok((self.commit(commit).await? == Committed::Done).then_some(event.id))
    }
}

/// The test that a number is missing or below a limit.
fn below(name: &'static str, limit: usize) -> Test {
    Test::LacksOrCompares(name, Comparison::Below, number(limit))
}
