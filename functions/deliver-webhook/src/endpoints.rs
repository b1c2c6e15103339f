//! The endpoints of all tenants in a batch.

use std::collections::{HashMap, HashSet};

use spillway_domain::id::EndpointId;
use spillway_domain::tenant::Tenant;
use spillway_domain::webhook::WebhookEndpoint;
use spillway_store::{Readable, StoreError, WorkItem};

use crate::Context;

/// The endpoints, read strongly after the batch was received. So an event finds each endpoint that is older than itself.
pub struct Endpoints(HashMap<Tenant, Result<Readable<WebhookEndpoint>, StoreError>>);

impl Endpoints {
    /// Reads the endpoints of all tenants in the batch, with one query for each.
    pub async fn read(context: &Context, items: &[WorkItem]) -> Endpoints {
        let tenants: HashSet<&Tenant> = items.iter().map(WorkItem::tenant).collect();
        let reads = tenants
            .into_iter()
            .map(|tenant| async move { (tenant.clone(), context.store.webhook_endpoints(tenant).await) });
        Endpoints(futures::future::join_all(reads).await.into_iter().collect())
    }

    /// The endpoints of a tenant. Errors if they could not be read.
    pub fn of(&self, tenant: &Tenant) -> Result<&Readable<WebhookEndpoint>, StoreError> {
        match self.0.get(tenant) {
            Some(Ok(endpoints)) => Ok(endpoints),
            Some(Err(error)) => Err(error.clone()),
            None => Ok(const { &Readable::NONE }),
        }
    }

    /// The endpoint of a tenant with this id. None if it does not exist or can't be read.
    pub fn get(&self, tenant: &Tenant, id: &EndpointId) -> Result<Option<&WebhookEndpoint>, StoreError> {
        Ok(self.of(tenant)?.items.iter().find(|endpoint| endpoint.meta.id == *id))
    }
}
