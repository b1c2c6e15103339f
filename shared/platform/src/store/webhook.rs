//! Webhook endpoints.

use aws_sdk_dynamodb::types::{TransactWriteItem, Update};
use spillway_domain::event::Event;
use spillway_domain::id::EndpointId;
use spillway_domain::tenant::Tenant;
use spillway_domain::time::Timestamp;
use spillway_domain::webhook::{ENDPOINTS_MAX, Endpoint};

use super::reason::Cancelled;
use super::{Created, Readable, Store, StoreError, keys, number, text, to_item};

impl Store {
    /// Stores a new endpoint and counts it, in one transaction, or tells the one that its id names. None if the tenant
    /// has [`ENDPOINTS_MAX`] already.
    pub async fn create_webhook_endpoint(&self, endpoint: &Endpoint) -> Result<Option<Created<Endpoint>>, StoreError> {
        let key = keys::webhook_endpoint(&endpoint.tenant, &endpoint.id);
        let count = Update::builder()
            .table_name(&self.table)
            .set_key(Some(keys::webhook_endpoint_count(&endpoint.tenant).attributes()))
            .update_expression("ADD endpoints :one")
            .condition_expression("attribute_not_exists(endpoints) OR endpoints < :most")
            .expression_attribute_values(":one", number(1))
            .expression_attribute_values(":most", number(ENDPOINTS_MAX));
        let count = count.build().map_err(StoreError::incomplete)?;
        let request = self
            .client
            .transact_write_items()
            .client_request_token(self.transaction_token())
            .transact_items(self.creation(to_item(&key, endpoint)?)?)
            .transact_items(TransactWriteItem::builder().update(count).build());
        match request.send().await.map_err(Cancelled::from_sdk) {
            Ok(_) => Ok(Some(Created::New)),
            // The first of them that failed: what is there already is told, however many there are.
            Err(Cancelled::Guard(0)) => match self.get(&key).await? {
                Some(existing) => Ok(Some(Created::Existing(existing))),
                None => Err(StoreError::Corrupt("a failed condition without its item".to_owned())),
            },
            Err(Cancelled::Guard(_)) => Ok(None),
            Err(Cancelled::Error(error)) => Err(error),
        }
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
        let update = self
            .update(&keys::webhook_endpoint(tenant, id))
            .update_expression("REMOVE failing_since")
            .condition_expression("attribute_exists(failing_since)");
        self.write(update).await.map(|_| ())
    }

    /// Disables an endpoint and tells so, in one transaction. False, and nothing is written, if it was disabled already,
    /// or has worked since the `failing_since` for which it is given up (none, if it is gone for good).
    pub async fn disable_endpoint(
        &self, endpoint: &Endpoint, failing_since: Option<Timestamp>, now: Timestamp,
    ) -> Result<bool, StoreError> {
        let event = Event::of_disabled_endpoint(endpoint, now);
        let mut condition = "#status = :enabled AND version < :version".to_owned();
        let mut update = Update::builder();
        if let Some(since) = failing_since {
            condition.push_str(" AND failing_since = :since");
            update = update.expression_attribute_values(":since", text(since.to_string()));
        }
        let update = update
            .table_name(&self.table)
            .set_key(Some(keys::webhook_endpoint(&endpoint.tenant, &endpoint.id).attributes()))
            .update_expression("SET #status = :disabled, version = :version")
            .condition_expression(condition)
            .expression_attribute_names("#status", "status")
            .expression_attribute_values(":disabled", text("disabled"))
            .expression_attribute_values(":enabled", text("enabled"))
            .expression_attribute_values(":version", number(endpoint.version + 1));
        let update = update.build().map_err(StoreError::incomplete)?;
        let request = self
            .client
            .transact_write_items()
            .client_request_token(self.transaction_token())
            .transact_items(TransactWriteItem::builder().update(update).build())
            .transact_items(self.creation(self.event_item(&endpoint.tenant, &event)?)?);
        match request.send().await.map_err(Cancelled::from_sdk) {
            Ok(_) => Ok(true),
            Err(Cancelled::Guard(_)) => Ok(false),
            Err(Cancelled::Error(error)) => Err(error),
        }
    }
}
