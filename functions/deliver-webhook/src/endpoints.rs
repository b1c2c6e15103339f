//! The endpoints of all tenants in a batch.

use std::collections::{HashMap, HashSet};

use spillway_domain::id::EndpointId;
use spillway_domain::tenant::Tenant;
use spillway_domain::webhook::WebhookEndpoint;
use spillway_store::{Readable, StoreError, WorkItem};

use crate::Context;

/// Read strongly, after the batch was received: an event that was made after an endpoint finds it.
pub struct Endpoints(HashMap<Tenant, Result<Readable<WebhookEndpoint>, StoreError>>);

impl Endpoints {
    /// One query for each tenant of the batch.
    pub async fn read(context: &Context, items: &[WorkItem]) -> Endpoints {
        let tenants: HashSet<&Tenant> = items.iter().map(WorkItem::tenant).collect();
        let reads = tenants
            .into_iter()
            .map(|tenant| async move { (tenant.clone(), context.store.webhook_endpoints(tenant).await) });
        Endpoints(futures::future::join_all(reads).await.into_iter().collect())
    }

    /// Those of a tenant.
    pub fn of(&self, tenant: &Tenant) -> Result<&Readable<WebhookEndpoint>, StoreError> {
        match self.0.get(tenant) {
            Some(Ok(endpoints)) => Ok(endpoints),
            Some(Err(error)) => Err(error.clone()),
            None => Ok(const { &Readable::NONE }),
        }
    }

    /// One of a tenant. None if there is none.
    pub fn get(&self, tenant: &Tenant, id: &EndpointId) -> Result<Option<&WebhookEndpoint>, StoreError> {
        Ok(self.of(tenant)?.items.iter().find(|endpoint| endpoint.meta.id == *id))
    }
}
