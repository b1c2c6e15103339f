//! Webhook endpoints.

use serde::Deserialize;
use spillway_domain::event::{Event, EventType};
use spillway_domain::id::EndpointId;
use spillway_domain::tenant::Tenant;
use spillway_domain::time::Timestamp;
use spillway_domain::webhook::{ENABLED_MAX, ENDPOINTS_MAX, Endpoint, EndpointLimit, EndpointStatus, PROBE_EVERY_MS};

use super::commit::{Commit, Committed};
use super::edit::Edit;
use super::expression::{Comparison, Test};
use super::{Created, Readable, Store, StoreError, WAKE, attribute, keys, number, text, to_item};

/// How many endpoints a tenant has, as stored.
#[derive(Debug, Default, Deserialize)]
struct Count {
    #[serde(default)]
    endpoints: usize,
}

impl Store {
    /// Stores a new endpoint and counts it, in one transaction, or returns the one that its id names. Refused if the
    /// tenant has [`ENABLED_MAX`] that are enabled, or [`ENDPOINTS_MAX`] in all.
    pub async fn create_webhook_endpoint(
        &self, endpoint: &Endpoint,
    ) -> Result<Result<Created<Endpoint>, EndpointLimit>, StoreError> {
        let key = keys::webhook_endpoint(&endpoint.meta.owner, &endpoint.meta.id);
        let count = Edit::new().add("endpoints", 1).add("enabled", 1);
        let below = |name, most| Test::LacksOrCompares(name, Comparison::Below, number(most));
        let room = vec![below("endpoints", ENDPOINTS_MAX), below("enabled", ENABLED_MAX)];
        let commit = Commit::new()
            .create(to_item(&key, endpoint)?, |store, found| {
                store.read(found).map(|found| Refused::Existing(Box::new(found)))
            })?
            .edit(keys::webhook_endpoint_count(&endpoint.meta.owner), count, room, |store, found| {
                let count: Count = found.map(|found| store.read(found)).transpose()?.unwrap_or_default();
                // Below the limit of all, it was the other.
                let limit = if count.endpoints >= ENDPOINTS_MAX { EndpointLimit::All } else { EndpointLimit::Enabled };
                Ok(Refused::Limit(limit))
            });
        Ok(match self.commit(commit).await? {
            Committed::Done => Ok(Created::New),
            Committed::Refused(Refused::Existing(existing)) => Ok(Created::Existing(*existing)),
            Committed::Refused(Refused::Limit(limit)) => Err(limit),
        })
    }

    /// An endpoint of this tenant, read strongly. None if there is none: a foreign one is as missing as any.
    pub async fn webhook_endpoint(&self, tenant: &Tenant, id: &EndpointId) -> Result<Option<Endpoint>, StoreError> {
        self.get(&keys::webhook_endpoint(tenant, id)).await
    }

    /// All endpoints of a tenant, read strongly, so that an event made after an endpoint reaches it; of those that can't
    /// be read, the ids.
    pub async fn webhook_endpoints(&self, tenant: &Tenant) -> Result<Readable<Endpoint>, StoreError> {
        self.query(&keys::webhook_endpoints(tenant), "we_", None, |item| self.read(item)).await
    }

    /// Notes since when an endpoint fails; an earlier note stays.
    pub async fn endpoint_fails(&self, tenant: &Tenant, id: &EndpointId, since: Timestamp) -> Result<(), StoreError> {
        let edit = Edit::new().set("failing_since", text(since.to_string()));
        let when = vec![Test::Exists, Test::Lacks("failing_since")];
        self.edit(&keys::webhook_endpoint(tenant, id), edit, when).await.map(drop)
    }

    /// Notes that an endpoint works again.
    pub async fn endpoint_works(&self, tenant: &Tenant, id: &EndpointId) -> Result<(), StoreError> {
        let edit = Edit::new().remove("failing_since").remove("probe_at");
        self.edit(&keys::webhook_endpoint(tenant, id), edit, vec![Test::Has("failing_since")]).await.map(drop)
    }

    /// Notes that an endpoint that was down works again since `at`, and wakes it: its message sends what was put off. False
    /// if another copy has noted that.
    pub async fn endpoint_recovered(
        &self, tenant: &Tenant, id: &EndpointId, at: Timestamp,
    ) -> Result<bool, StoreError> {
        let edit = Edit::new()
            .set("works_since", text(at.to_string()))
            .remove("failing_since")
            .remove("probe_at")
            .add(WAKE, 1);
        self.edit(&keys::webhook_endpoint(tenant, id), edit, vec![Test::Has("failing_since")]).await
    }

    /// Claims the right to try an endpoint that is down, and puts the next try off. False if another has it.
    pub async fn claim_probe(&self, endpoint: &Endpoint, now: Timestamp) -> Result<bool, StoreError> {
        let edit = Edit::new().set("probe_at", text(now.plus_millis(PROBE_EVERY_MS).to_string()));
        let may_probe = Test::LacksOrCompares("probe_at", Comparison::AtMost, text(now.to_string()));
        let when = vec![Test::Has("failing_since"), may_probe];
        self.edit(&keys::webhook_endpoint(&endpoint.meta.owner, &endpoint.meta.id), edit, when).await
    }

    /// Disables an endpoint, lowers the count of enabled ones and stores the event, in one transaction. False, and nothing
    /// is written, if it was disabled already, or has worked since the `failing_since` for which it is given up (None if
    /// it answered 410).
    pub async fn disable_endpoint(
        &self, endpoint: &Endpoint, failing_since: Option<Timestamp>, now: Timestamp,
    ) -> Result<bool, StoreError> {
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
            .follow(self.event_item(owner, &event, &disabled)?)?;
        Ok(self.commit(commit).await? == Committed::Done)
    }
}

/// Why an endpoint was not created.
enum Refused {
    Existing(Box<Endpoint>),
    Limit(EndpointLimit),
}
