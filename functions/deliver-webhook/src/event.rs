//! The first attempts of an event: at once, to every endpoint that wants it and has no delivery yet.

use futures::future::join_all;
use spillway_domain::id::EventId;
use spillway_domain::tenant::Tenant;
use spillway_domain::webhook::{Delivery, Endpoint, PUT_OFF_AFTER_MS};
use spillway_platform::runtime::{Context, Metric};
use spillway_platform::store::{Created, StoredEvent};
use spillway_platform::work::WorkError;

use crate::delivery;
use crate::endpoints::Endpoints;

/// When every endpoint has a delivery, final or with a due time of its own, the event needs no look any more. While an
/// endpoint without a delivery can't be read, the event stays due, so that the endpoint gets it later.
pub async fn deliver(context: &Context, endpoints: &Endpoints, tenant: &Tenant, id: &EventId) -> Result<(), WorkError> {
    let Some(event) = context.store.event(tenant, id).await? else {
        tracing::warn!(target: "spillway", event = %id, "a message names an event that is not there");
        return Ok(());
    };
    let endpoints = endpoints.of(tenant)?;
    let wanting: Vec<&Endpoint> = endpoints.items.iter().filter(|endpoint| endpoint.wants(event.event_type)).collect();
    if !wanting.is_empty() || !endpoints.unreadable.is_empty() {
        let known = context.store.deliveries(tenant, id).await?;
        let is_new = |endpoint: &str| {
            known.items.iter().all(|delivery| delivery.endpoint.as_str() != endpoint)
                && known.unreadable.iter().all(|of| of != endpoint)
        };
        let new = wanting.into_iter().filter(|endpoint| is_new(endpoint.id.as_str()));
        // All of them to their end: an attempt that was made must be stored, whatever happens to another.
        let results = join_all(new.map(|endpoint| first_attempt(context, &event, endpoint))).await;
        results.into_iter().collect::<Result<(), WorkError>>()?;
        if endpoints.unreadable.iter().any(|endpoint| is_new(endpoint)) {
            return Ok(());
        }
    }
    context.store.event_handed_over(tenant, &event).await?;
    Ok(())
}

async fn first_attempt(context: &Context, event: &StoredEvent, endpoint: &Endpoint) -> Result<(), WorkError> {
    let now = context.now();
    let new = Delivery::new(&event.id, &endpoint.id, &event.request_id, now);
    if endpoint.failing_since.is_some_and(|since| now.since(since) >= PUT_OFF_AFTER_MS) {
        let later = new.put_off(delivery::jitter(context), now);
        context.store.create_delivery(&endpoint.tenant, &later).await?;
        return Ok(());
    }
    let attempt = delivery::attempt(context, event, endpoint).await?;
    let after = new.after(&attempt, &context.settings.webhook_waits_s, delivery::jitter(context), context.now());
    match context.store.create_delivery(&endpoint.tenant, &after).await? {
        Created::New => {
            if attempt.succeeded() {
                let since_ms = after.updated_at.since(event.timestamp);
                context.metrics.add(Metric::WebhookLatency, u64::try_from(since_ms).unwrap_or_default());
            }
            delivery::follow_up(context, endpoint, &after, &attempt).await
        }
        // Another copy of the message was faster; its result counts.
        Created::Existing(_) => Ok(()),
    }
}
