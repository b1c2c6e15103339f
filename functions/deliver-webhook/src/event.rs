//! The first attempts of an event. They are made at once, to every endpoint that wants the event and has no delivery
//! yet. For an endpoint that is down the delivery is put off, unless this is the one attempt that tests whether it works
//! again (a probe).

use futures::future::{join, join_all};
use spillway_domain::id::EventId;
use spillway_domain::tenant::Tenant;
use spillway_domain::time::Timestamp;
use spillway_domain::webhook::{Delivery, Step, WebhookEndpoint};
use spillway_runtime::Metric;
use spillway_store::{Created, Readable, StoredEvent};
use spillway_work::{Outcome, WorkError};

use crate::endpoints::Endpoints;
use crate::{Context, delivery, slow};

/// Delivers an event to every endpoint, and returns the result for each. Then every endpoint has a final delivery, or
/// one with its own due time, and the event's due time is removed. If an endpoint without a delivery can't be read, the
/// event stays due, so that the endpoint gets it later.
pub async fn deliver(
    context: &Context, endpoints: &Endpoints, tenant: &Tenant, id: &EventId,
) -> Result<Vec<Outcome>, WorkError> {
    let endpoints = endpoints.of(tenant)?;
    let deliveries = async {
        match endpoints.items.is_empty() && endpoints.unreadable.is_empty() {
            true => Ok(Readable::NONE),
            false => context.store.deliveries(tenant, id).await,
        }
    };
    let (event, known) = join(context.store.event(tenant, id), deliveries).await;
    let Some(event) = event? else {
        tracing::warn!(target: "spillway", event = %id, "a message names an event that does not exist");
        return Ok(Outcome::new("not found").into());
    };
    let mut outcomes = Vec::new();
    let all = to_all(context, endpoints, tenant, &event, &known?, &mut outcomes).await;
    if all.is_err() {
        outcomes.iter().for_each(|outcome| outcome.log(id));
    }
    all.map(|()| outcomes)
}

async fn to_all(
    context: &Context, endpoints: &Readable<WebhookEndpoint>, tenant: &Tenant, event: &StoredEvent,
    known: &Readable<Delivery>, outcomes: &mut Vec<Outcome>,
) -> Result<(), WorkError> {
    let wanting: Vec<&WebhookEndpoint> =
        endpoints.items.iter().filter(|endpoint| delivery::is_wanted(event, endpoint)).collect();
    if wanting.is_empty() && endpoints.unreadable.is_empty() {
        outcomes.push(delivery::of_event(Outcome::new("no endpoint wants it"), event));
    } else {
        let is_new = |endpoint: &str| {
            known.items.iter().all(|delivery| delivery.endpoint.as_str() != endpoint)
                && known.unreadable.iter().all(|unreadable| unreadable != endpoint)
        };
        let new = wanting.into_iter().filter(|endpoint| is_new(endpoint.meta.id.as_str()));
        // All attempts run to their end, even if one fails, because an attempt that was made must be stored.
        let results = join_all(new.map(|endpoint| first_attempt(context, event, endpoint))).await;
        let (attempted, failed): (Vec<_>, Vec<_>) = results.into_iter().partition(Result::is_ok);
        outcomes.extend(attempted.into_iter().flatten());
        if let Some(Err(error)) = failed.into_iter().next() {
            return Err(error);
        }
        if endpoints.unreadable.iter().any(|endpoint| is_new(endpoint)) {
            outcomes.push(delivery::of_event(Outcome::new("an endpoint can't be read"), event));
            return Ok(());
        }
        if outcomes.is_empty() {
            outcomes.push(delivery::of_event(Outcome::new("every endpoint already has a delivery"), event));
        }
    }
    context.store.event_handed_over(tenant, event).await?;
    Ok(())
}

async fn first_attempt(
    context: &Context, event: &StoredEvent, endpoint: &WebhookEndpoint,
) -> Result<Outcome, WorkError> {
    let now = context.now();
    let new = Delivery::new(&event.id, &endpoint.meta.id, &event.request_id, event.expires_at, now);
    let about_event = |outcome: Outcome| delivery::of_event(outcome.with(&endpoint.meta.id), event);
    let step = endpoint.step(now);
    let probe = if step == Step::Probe { slow::claim_probe(context, endpoint).await? } else { None };
    if step != Step::Attempt && probe.is_none() {
        return put_off(context, endpoint, &new, now).await.map(about_event);
    }
    let (attempt, probe) = delivery::attempt(context, event, endpoint, probe).await?;
    let after = delivery::after(context, &new, &attempt, probe);
    let stored = match context.store.create_delivery(&endpoint.meta.owner, &after).await? {
        Created::New => true,
        // Another copy of the message found the endpoint down.
        Created::Existing(other) if other.is_put_off() => {
            context.store.replace_delivery(&endpoint.meta.owner, &other, &after).await?
        }
        // Another copy of the message was faster. Its result counts.
        Created::Existing(_) => false,
    };
    if !stored {
        delivery::store_successful_probe(context, endpoint, &attempt, probe).await?;
        return Ok(about_event(Outcome::new("another copy of the message was faster, and its result counts")));
    }
    if attempt.succeeded() {
        let since_ms = after.updated_at.since(event.timestamp);
        context.metrics.add(Metric::WebhookLatency, u64::try_from(since_ms).unwrap_or_default());
    }
    delivery::follow_up(context, endpoint, &after, &attempt, probe).await.map(about_event)
}

/// Stores the delivery without an attempt.
async fn put_off(
    context: &Context, endpoint: &WebhookEndpoint, new: &Delivery, now: Timestamp,
) -> Result<Outcome, WorkError> {
    let later = new.put_off(delivery::jitter(context), now);
    if let Created::Existing(_) = context.store.create_delivery(&endpoint.meta.owner, &later).await? {
        return Ok(Outcome::new("another copy of the message was faster, and its result counts"));
    }
    delivery::send_if_it_works(context, endpoint, &later, now).await?;
    Ok(delivery::put_off_outcome(&later, now))
}
