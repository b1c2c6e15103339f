//! One transaction: it sends deliveries of some events again, and decides again if one of them has changed meanwhile.

use std::sync::Arc;

use futures::future::try_join_all;
use spillway_domain::id::{EndpointId, EventId, ObjectId};
use spillway_domain::operator::{Operator, OperatorAction};
use spillway_domain::tenant::Tenant;
use spillway_domain::time::Timestamp;
use spillway_domain::webhook::{NotRedelivered, WebhookEndpoint};
use spillway_store::{Committed, Redelivery, StoreError};

use crate::{Context, RedeliverEventError};

/// Tries while others change the same deliveries or endpoints.
const TRIES_MAX: u32 = 8;

/// Whether a delivery is sent again.
pub type Redelivered = Result<(), NotRedelivered>;

/// Who sends deliveries again, and whose they are.
pub struct By {
    /// The operator in the request.
    pub operator: Operator,
    /// Lambda's id of the invocation.
    pub request_id: String,
    /// The merchant and the mode.
    pub tenant: Tenant,
}

impl By {
    /// The action that is stored with a transaction: about the endpoint that the request names, else about the event.
    fn action(&self, subject: ObjectId, redelivered: usize, now: Timestamp) -> OperatorAction {
        OperatorAction {
            merchant: self.tenant.merchant.clone(),
            subject,
            operator: self.operator.clone(),
            outcome: format!("{redelivered} redelivered"),
            request_id: self.request_id.clone(),
            created_at: now,
        }
    }
}

/// The result for one event.
pub enum OfEvent {
    /// The event does not exist, or has expired.
    Missing,
    /// The event or a delivery of it can't be read.
    Unreadable(StoreError),
    /// Each delivery of the event by its endpoint.
    Deliveries(Vec<(EndpointId, Redelivered)>),
}

/// Sends the failed deliveries of these events again, in one transaction. With an endpoint: only those to it. Returns
/// the result for each event, in their order. Each event may have so many failed deliveries that they all fit into the
/// transaction: at most [`spillway_store::REDELIVERIES_MAX`].
pub async fn redeliver(
    context: &Context, by: &By, events: &[EventId], endpoint: Option<&EndpointId>,
) -> Result<Vec<OfEvent>, RedeliverEventError> {
    let tenant = &by.tenant;
    let event = || events.first().cloned().map(ObjectId::from);
    let Some(subject) = endpoint.cloned().map(ObjectId::from).or_else(event) else { return Ok(Vec::new()) };
    for _ in 0..TRIES_MAX {
        let endpoints = context.store.webhook_endpoints(tenant).await?.items;
        let decisions = events.iter().map(|event| decide(context, tenant, event, endpoint, &endpoints));
        let (results, changes): (Vec<OfEvent>, Vec<Vec<Redelivery>>) =
            try_join_all(decisions).await?.into_iter().unzip();
        let changes = changes.concat();
        let action = by.action(subject.clone(), changes.len(), context.now());
        if changes.is_empty() || context.store.redeliver(tenant, &changes, &action).await? == Committed::Done {
            return Ok(results);
        }
    }
    Err(RedeliverEventError::Overtaken(TRIES_MAX))
}

/// Reads an event with its deliveries, and decides which of them are sent again.
async fn decide(
    context: &Context, tenant: &Tenant, id: &EventId, only: Option<&EndpointId>, endpoints: &[WebhookEndpoint],
) -> Result<(OfEvent, Vec<Redelivery>), StoreError> {
    let event = match context.store.event(tenant, id).await {
        Ok(Some(event)) => Arc::new(event),
        Ok(None) => return Ok((OfEvent::Missing, Vec::new())),
        Err(unreadable @ StoreError::Corrupt(_)) => return Ok((OfEvent::Unreadable(unreadable), Vec::new())),
        Err(error) => return Err(error),
    };
    let is_meant = |endpoint: &str| only.is_none_or(|only| only.as_str() == endpoint);
    let deliveries = context.store.deliveries(tenant, id).await?;
    if let Some(endpoint) = deliveries.unreadable.iter().find(|endpoint| is_meant(endpoint)) {
        let unreadable = StoreError::Corrupt(format!("the delivery of {id} to {endpoint}"));
        return Ok((OfEvent::Unreadable(unreadable), Vec::new()));
    }
    let now = context.now();
    let expires_at = context.store.event_expiry(now)?;
    let (mut results, mut changes) = (Vec::new(), Vec::new());
    for before in deliveries.items.into_iter().filter(|delivery| is_meant(delivery.endpoint.as_str())) {
        let endpoint = endpoints.iter().find(|endpoint| endpoint.meta.id == before.endpoint);
        let redelivered = before.redelivered(endpoint, (event.event_type, event.only.as_ref()), expires_at, now);
        results.push((before.endpoint.clone(), redelivered.as_ref().map(drop).map_err(|refusal| *refusal)));
        if let (Ok(after), Some(endpoint)) = (redelivered, endpoint) {
            changes.push(Redelivery { event: event.clone(), endpoint: endpoint.clone(), before, after });
        }
    }
    Ok((OfEvent::Deliveries(results), changes))
}
