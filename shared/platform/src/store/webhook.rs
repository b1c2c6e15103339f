//! Webhook endpoints.

use aws_sdk_dynamodb::operation::update_item::builders::UpdateItemFluentBuilder;
use aws_sdk_dynamodb::types::builders::UpdateBuilder;
use aws_sdk_dynamodb::types::{TransactWriteItem, Update};
use serde::Deserialize;
use spillway_domain::event::Event;
use spillway_domain::id::EndpointId;
use spillway_domain::tenant::Tenant;
use spillway_domain::time::Timestamp;
use spillway_domain::webhook::{ENABLED_MAX, ENDPOINTS_MAX, Endpoint, EndpointLimit, PROBE_EVERY_MS};

use super::reason::Cancelled;
use super::{Created, Readable, Store, StoreError, keys, number, text, to_item};

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
        let key = keys::webhook_endpoint(&endpoint.tenant, &endpoint.id);
        let condition = "(attribute_not_exists(endpoints) OR endpoints < :most) \
                         AND (attribute_not_exists(enabled) OR enabled < :most_enabled)";
        let count = self
            .count("ADD endpoints :one, enabled :one", &endpoint.tenant)
            .condition_expression(condition)
            .expression_attribute_values(":one", number(1))
            .expression_attribute_values(":most", number(ENDPOINTS_MAX))
            .expression_attribute_values(":most_enabled", number(ENABLED_MAX));
        let count = count.build().map_err(StoreError::incomplete)?;
        let request = self
            .client
            .transact_write_items()
            .client_request_token(self.transaction_token())
            .transact_items(self.creation(to_item(&key, endpoint)?)?)
            .transact_items(TransactWriteItem::builder().update(count).build());
        match request.send().await.map_err(Cancelled::from_sdk) {
            Ok(_) => Ok(Ok(Created::New)),
            // AWS does not promise to report every condition that failed. An endpoint that is there is returned, however
            // many there are.
            Err(Cancelled::Guard(_)) => match self.get(&key).await? {
                Some(existing) => Ok(Ok(Created::Existing(existing))),
                None => self.endpoint_limit(&endpoint.tenant).await.map(Err),
            },
            Err(Cancelled::Error(error)) => Err(error),
        }
    }

    /// The limit that refused an endpoint. Their number in all never falls: below that limit it was the other.
    async fn endpoint_limit(&self, tenant: &Tenant) -> Result<EndpointLimit, StoreError> {
        let count: Count = self.get(&keys::webhook_endpoint_count(tenant)).await?.unwrap_or_default();
        Ok(if count.endpoints >= ENDPOINTS_MAX { EndpointLimit::All } else { EndpointLimit::Enabled })
    }

    /// An update of the number of a tenant's endpoints, to be completed.
    fn count(&self, expression: &str, tenant: &Tenant) -> UpdateBuilder {
        let key = keys::webhook_endpoint_count(tenant);
        Update::builder().table_name(&self.table).set_key(Some(key.attributes())).update_expression(expression)
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
        let update = self
            .update(&keys::webhook_endpoint(tenant, id))
            .update_expression("SET failing_since = :since")
            .condition_expression("attribute_exists(pk) AND attribute_not_exists(failing_since)")
            .expression_attribute_values(":since", text(since.to_string()));
        self.write(update).await.map(|_| ())
    }

    /// Notes that an endpoint works again.
    pub async fn endpoint_works(&self, tenant: &Tenant, id: &EndpointId) -> Result<(), StoreError> {
        let update = self.failing(tenant, id).update_expression("REMOVE failing_since, probe_at");
        self.write(update).await.map(|_| ())
    }

    /// Notes that an endpoint that was down works again since `at`. False if another copy has noted that. A note whose
    /// reply was lost is known by its time: the next attempt may have overwritten the mark of this write.
    pub async fn endpoint_recovered(
        &self, tenant: &Tenant, id: &EndpointId, at: Timestamp,
    ) -> Result<bool, StoreError> {
        let update = self
            .failing(tenant, id)
            .update_expression("SET works_since = :at REMOVE failing_since, probe_at")
            .expression_attribute_values(":at", text(at.to_string()));
        if self.write(update).await? {
            return Ok(true);
        }
        let endpoint = self.webhook_endpoint(tenant, id).await?;
        Ok(endpoint.is_some_and(|endpoint| endpoint.works_since == Some(at)))
    }

    /// An update of an endpoint on condition that it fails, to be completed.
    fn failing(&self, tenant: &Tenant, id: &EndpointId) -> UpdateItemFluentBuilder {
        self.update(&keys::webhook_endpoint(tenant, id)).condition_expression("attribute_exists(failing_since)")
    }

    /// Claims the right to try an endpoint that is down, and puts the next try off. False if another has it.
    pub async fn claim_probe(&self, endpoint: &Endpoint, now: Timestamp) -> Result<bool, StoreError> {
        let update = self
            .update(&keys::webhook_endpoint(&endpoint.tenant, &endpoint.id))
            .update_expression("SET probe_at = :next")
            // Times have a fixed width: the texts compare as the times do.
            .condition_expression(
                "attribute_exists(failing_since) AND (attribute_not_exists(probe_at) OR probe_at <= :now)",
            )
            .expression_attribute_values(":next", text(now.plus_millis(PROBE_EVERY_MS).to_string()))
            .expression_attribute_values(":now", text(now.to_string()));
        self.write(update).await
    }

    /// Disables an endpoint, lowers the count of enabled ones and stores the event, in one transaction. False, and nothing
    /// is written, if it was disabled already, or has worked since the `failing_since` for which it is given up (None if
    /// it answered 410).
    pub async fn disable_endpoint(
        &self, endpoint: &Endpoint, failing_since: Option<Timestamp>, now: Timestamp,
    ) -> Result<bool, StoreError> {
        let event = Event::of_disabled_endpoint(endpoint, now);
        let count = self
            .count("ADD enabled :minus_one", &endpoint.tenant)
            .expression_attribute_values(":minus_one", number(-1));
        let count = count.build().map_err(StoreError::incomplete)?;
        let mut condition = "#status = :enabled AND version < :version".to_owned();
        let mut update = Update::builder();
        if let Some(since) = failing_since {
            condition.push_str(" AND failing_since = :since");
            update = update.expression_attribute_values(":since", text(since.to_string()));
        }
        let update = update
            .table_name(&self.table)
            .set_key(Some(keys::webhook_endpoint(&endpoint.tenant, &endpoint.id).attributes()))
            .update_expression("SET #status = :disabled, version = :version, updated_at = :now")
            .condition_expression(condition)
            .expression_attribute_names("#status", "status")
            .expression_attribute_values(":disabled", text("disabled"))
            .expression_attribute_values(":enabled", text("enabled"))
            .expression_attribute_values(":version", number(endpoint.version + 1))
            .expression_attribute_values(":now", text(now.to_string()));
        let update = update.build().map_err(StoreError::incomplete)?;
        let request = self
            .client
            .transact_write_items()
            .client_request_token(self.transaction_token())
            .transact_items(TransactWriteItem::builder().update(update).build())
            .transact_items(TransactWriteItem::builder().update(count).build())
            .transact_items(self.creation(self.event_item(&endpoint.tenant, &event)?)?);
        match request.send().await.map_err(Cancelled::from_sdk) {
            Ok(_) => Ok(true),
            Err(Cancelled::Guard(_)) => Ok(false),
            Err(Cancelled::Error(error)) => Err(error),
        }
    }
}
