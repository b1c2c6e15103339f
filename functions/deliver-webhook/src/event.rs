//! The first attempts of an event: at once, to every endpoint that wants it and has no delivery yet.

use futures::future::join_all;
use spillway_domain::id::EventId;
use spillway_domain::tenant::Tenant;
use spillway_domain::webhook::{Delivery, Endpoint, PUT_OFF_AFTER_MS};
use spillway_platform::runtime::{Context, Metric};
use spillway_platform::store::{Created, StoredEvent};
use spillway_platform::work::{Done, WorkError};

use crate::delivery;
use crate::endpoints::Endpoints;

/// When every endpoint has a delivery, final or with a due time of its own, the event needs no look any more. Gives what
/// was done for each endpoint.
pub async fn deliver(
    context: &Context, endpoints: &Endpoints, tenant: &Tenant, id: &EventId,
) -> Result<Vec<Done>, WorkError> {
    let Some(event) = context.store.event(tenant, id).await? else {
        tracing::warn!(target: "spillway", event = %id, "a message names an event that is not there");
        return Ok(Done::new("there is no such event").into());
    };
    let mut done = Vec::new();
    let all = to_all(context, endpoints, tenant, &event, &mut done).await;
    if all.is_err() {
        done.iter().for_each(|done| done.tell(id));
    }
    all.map(|()| done)
}

async fn to_all(
    context: &Context, endpoints: &Endpoints, tenant: &Tenant, event: &StoredEvent, done: &mut Vec<Done>,
) -> Result<(), WorkError> {
    let wanting: Vec<&Endpoint> =
        endpoints.of(tenant)?.iter().filter(|endpoint| endpoint.wants(event.event_type)).collect();
    if wanting.is_empty() {
        done.push(delivery::of_event(Done::new("no endpoint wants it"), event));
    } else {
        let known = context.store.deliveries(tenant, &event.id).await?;
        let new = wanting.into_iter().filter(|endpoint| known.iter().all(|delivery| delivery.endpoint != endpoint.id));
        // All of them to their end: an attempt that was made must be stored, whatever happens to another.
        let results = join_all(new.map(|endpoint| first_attempt(context, event, endpoint))).await;
        let (attempted, failed): (Vec<_>, Vec<_>) = results.into_iter().partition(Result::is_ok);
        done.extend(attempted.into_iter().flatten());
        if let Some(Err(error)) = failed.into_iter().next() {
            return Err(error);
        }
        if done.is_empty() {
            done.push(delivery::of_event(Done::new("every endpoint had it before"), event));
        }
    }
    context.store.event_handed_over(tenant, &event.id).await?;
    Ok(())
}

async fn first_attempt(context: &Context, event: &StoredEvent, endpoint: &Endpoint) -> Result<Done, WorkError> {
    let now = context.now();
    let new = Delivery::new(&event.id, &endpoint.id, &event.request_id, now);
    let told = |done: Done| delivery::of_event(done.with(&endpoint.id), event);
    if endpoint.failing_since.is_some_and(|since| now.since(since) >= PUT_OFF_AFTER_MS) {
        let later = new.put_off(delivery::jitter(context), now);
        context.store.create_delivery(&endpoint.tenant, &later).await?;
        return Ok(told(delivery::put_off(&later, now)));
    }
    let attempt = delivery::attempt(context, event, endpoint).await?;
    let after = new.after(&attempt, &context.settings.webhook_waits_s, delivery::jitter(context), context.now());
    match context.store.create_delivery(&endpoint.tenant, &after).await? {
        Created::New => {
            if attempt.succeeded() {
                let since_ms = after.updated_at.since(event.timestamp);
                context.metrics.add(Metric::WebhookLatency, u64::try_from(since_ms).unwrap_or_default());
            }
            delivery::follow_up(context, endpoint, &after, &attempt).await.map(told)
        }
        Created::Existing(_) => Ok(told(Done::new("another copy of the message was faster, and its result counts"))),
    }
}
