//! One attempt, its consequences, and the attempts after the first.

use std::num::NonZeroU64;

use serde::Serialize;
use serde_json::value::RawValue;
use spillway_domain::event::EventType;
use spillway_domain::id::{EndpointId, EventId};
use spillway_domain::tenant::Tenant;
use spillway_domain::time::Timestamp;
use spillway_domain::trace::Trace;
use spillway_domain::webhook::{
    Attempt, DISABLED_AFTER_MS, Delivery, DeliveryStatus, EndpointStatus, JitterPermille, Step, WebhookEndpoint,
};
use spillway_runtime::Metric;
use spillway_store::{StoredEvent, WorkItem, keys};
use spillway_webhooks::sign;
use spillway_work::{Outcome, Outgoing, WorkError};

use crate::endpoints::Endpoints;
use crate::slow::Probe;
use crate::{Context, slow};

/// The body of a webhook. The id is also in the header `webhook-id`. Receivers recognize repetitions by it.
#[derive(Serialize)]
struct Body<'a> {
    id: &'a EventId,
    #[serde(rename = "type")]
    event_type: EventType,
    timestamp: Timestamp,
    data: &'a RawValue,
}

/// Posts an event to an endpoint once. `probe`: the claimed probe, if the endpoint is down. Returns the attempt, and the
/// probe that it is, because the endpoint was down or became down during the attempt. Errors if Spillway itself fails;
/// this does not count as an attempt.
pub async fn attempt(
    context: &Context, event: &StoredEvent, endpoint: &WebhookEndpoint, probe: Option<Probe>,
) -> Result<(Attempt, Option<Probe>), WorkError> {
    let own_fault = |reason: &str| WorkError::Refused(format!("{}: {reason}", event.id));
    let data = serde_json::from_str(&event.data).map_err(|_| own_fault("its data can't be read"))?;
    let body = Body { id: &event.id, event_type: event.event_type, timestamp: event.timestamp, data };
    let body = serde_json::to_string(&body).map_err(|_| own_fault("its data can't be written"))?;
    let (id, now) = (event.id.as_str(), context.now());
    let secrets = context.keys.signing(endpoint, now).await.map_err(|error| own_fault(&error.to_string()))?;
    let signed = sign(&secrets, id, body.as_bytes(), now);
    let signed = signed.ok_or_else(|| own_fault("the endpoint's secret can't be read"))?;
    let traceparent = traceparent(context, event);
    let sending = context.sender.attempt(endpoint, id, &signed, traceparent, body, now);
    let (attempt, probe) = slow::watched(context, endpoint, probe, sending).await;
    attempt.map(|attempt| (attempt, probe)).map_err(|no_client| own_fault(&no_client.to_string()))
}

/// The header `traceparent` of an attempt: the trace of the request that caused the event, and a new span.
fn traceparent(context: &Context, event: &StoredEvent) -> Option<String> {
    let trace = event.trace.clone().or_else(|| Trace::of_request(&event.request_id))?;
    let span = NonZeroU64::new(u64::from_be_bytes(context.random())).unwrap_or(NonZeroU64::MIN);
    Some(trace.traceparent(span))
}

/// A random factor between 80 and 120 percent for the wait before the next attempt.
pub fn jitter(context: &Context) -> JitterPermille {
    context.random_between(800, 1200)
}

/// Whether an event is to be delivered to this endpoint.
pub fn is_wanted(event: &StoredEvent, endpoint: &WebhookEndpoint) -> bool {
    endpoint.wants(event.event_type, event.only.as_ref())
}

/// Makes another attempt of a delivery, if its time has come or its endpoint works again. Two copies of the message
/// make one attempt, because the attempt is claimed first, unless the claim ended during the attempt.
pub async fn retry(
    context: &Context, endpoints: &Endpoints, tenant: &Tenant, event: &EventId, endpoint: &EndpointId,
) -> Result<Outcome, WorkError> {
    let Some(delivery) = context.store.delivery(tenant, event, endpoint).await? else {
        return Ok(Outcome::new("not found"));
    };
    let (now, as_read) = (context.now(), endpoints.get(tenant, endpoint)?);
    if !delivery.may_begin(as_read, now) {
        // The delivery is final, claimed or early. Unless it is final, its due time brings it back.
        return Ok(Outcome::new("not due for an attempt").caused_by(&delivery.request_id));
    }
    let known = endpoints.of(tenant)?;
    if known.unreadable.iter().any(|unreadable| unreadable == endpoint.as_str()) {
        // The endpoint exists, so the delivery is not given up. Its due time brings it back.
        return Ok(Outcome::new("its endpoint can't be read").caused_by(&delivery.request_id));
    }
    let enabled = as_read.filter(|endpoint| endpoint.status == EndpointStatus::Enabled);
    if let Some(endpoint) = enabled.filter(|endpoint| endpoint.step(now) == Step::PutOff) {
        return put_off(context, endpoint, &delivery, now).await;
    }
    let until = now.plus_millis(slow::claim_ms(context));
    let Some(claimed) = context.store.claim_delivery(tenant, &delivery, until).await? else {
        return Ok(Outcome::new("attempted by another copy of the message").caused_by(&delivery.request_id));
    };
    let stored = context.store.event(tenant, event).await?;
    let Some(stored) = stored else { return give_up(context, tenant, &claimed, None).await };
    let mut present = as_read.cloned();
    if !present.as_ref().is_some_and(|endpoint| is_wanted(&stored, endpoint)) {
        // The endpoint may have been enabled since the batch was read.
        present = context.store.webhook_endpoint(tenant, endpoint).await?;
    }
    let Some(endpoint) = present.as_ref().filter(|endpoint| is_wanted(&stored, endpoint)) else {
        return give_up(context, tenant, &claimed, present.as_ref()).await;
    };
    let probe = match endpoint.step(now) {
        Step::Attempt => None,
        Step::Probe | Step::PutOff => match slow::claim_probe(context, endpoint).await? {
            None => return put_off(context, endpoint, &claimed, now).await,
            probe => probe,
        },
    };
    let (attempt, probe) = attempt(context, &stored, endpoint, probe).await?;
    let after = after(context, &claimed, &attempt, probe);
    let outcome = if context.store.replace_delivery(tenant, &claimed, &after).await? {
        follow_up(context, endpoint, &after, &attempt, probe).await?
    } else {
        // The claim ended during the attempt.
        store_successful_probe(context, endpoint, &attempt, probe).await?;
        Outcome::new("attempted, but another copy of the message was faster")
    };
    Ok(of_event(outcome, &stored))
}

/// The delivery after an attempt. After a failed probe it is the next one to probe.
pub fn after(context: &Context, before: &Delivery, attempt: &Attempt, probe: Option<Probe>) -> Delivery {
    let after = before.after(attempt, &context.webhooks.waits_s, jitter(context), context.now());
    match probe {
        Some(probe) => after.not_before(probe.next),
        None => after,
    }
}

/// Stores that a pending delivery is put off, because its endpoint is down, and returns the result for the log.
async fn put_off(
    context: &Context, endpoint: &WebhookEndpoint, before: &Delivery, now: Timestamp,
) -> Result<Outcome, WorkError> {
    let later = before.put_off(jitter(context), now);
    if !context.store.replace_delivery(&endpoint.meta.owner, before, &later).await? {
        return Ok(Outcome::new("attempted by another copy of the message").caused_by(&before.request_id));
    }
    send_if_it_works(context, endpoint, &later, now).await?;
    Ok(put_off_outcome(&later, now).with(&endpoint.meta.id).caused_by(&before.request_id))
}

/// Sends the message of a delivery that was put off, if its endpoint has recovered since it was read: the recovery may
/// have missed this delivery. Otherwise the recovery, or the delivery's due time, brings the message.
pub async fn send_if_it_works(
    context: &Context, endpoint: &WebhookEndpoint, later: &Delivery, now: Timestamp,
) -> Result<(), WorkError> {
    let as_it_is = context.store.webhook_endpoint(&endpoint.meta.owner, &endpoint.meta.id).await?;
    if later.may_begin(as_it_is.as_ref(), now) {
        send_message(context, &endpoint.meta.owner, later, 0).await;
    }
    Ok(())
}

/// Gives a delivery up, because the event no longer exists, or because the endpoint was deleted or disabled, or no
/// longer wants the event. Only a delivery to a disabled endpoint counts as given up: the merchant of any other
/// endpoint has chosen not to get the event. `endpoint`: None if the event or the endpoint no longer exists.
async fn give_up(
    context: &Context, tenant: &Tenant, claimed: &Delivery, endpoint: Option<&WebhookEndpoint>,
) -> Result<Outcome, WorkError> {
    let is_stored = context.store.replace_delivery(tenant, claimed, &claimed.given_up()).await?;
    if is_stored && endpoint.is_some_and(|endpoint| endpoint.status == EndpointStatus::Disabled) {
        context.metrics.add(Metric::WebhooksGivenUp, 1);
    }
    Ok(Outcome::new("given up without an attempt").caused_by(&claimed.request_id))
}

/// Adds the event's object and the request that caused the event to a result for the log.
pub fn of_event(outcome: Outcome, event: &StoredEvent) -> Outcome {
    outcome.with(&event.source).caused_by(&event.request_id).traced(event.trace.as_ref())
}

/// The outcome for the log, such as `500, attempt 1, again in 5 s`. Only the status if the first attempt succeeded.
fn outcome_text(delivery: &Delivery, now: Timestamp) -> String {
    let answer = &delivery.last_answer;
    let nth = format!("{answer}, attempt {}", delivery.attempts);
    match delivery.status {
        DeliveryStatus::Succeeded if delivery.attempts == 1 => answer.clone(),
        DeliveryStatus::Succeeded => nth,
        DeliveryStatus::Pending => format!("{nth}, again in {} s", wait_s(delivery, now)),
        DeliveryStatus::Failed => format!("{nth}, given up"),
    }
}

/// The result for the log of a delivery that was put off, because its endpoint is down.
pub fn put_off_outcome(delivery: &Delivery, now: Timestamp) -> Outcome {
    Outcome::new(format!("put off, the endpoint is down: in {} s", wait_s(delivery, now)))
}

/// Seconds until the next attempt, rounded up.
fn wait_s(delivery: &Delivery, now: Timestamp) -> u32 {
    let wait_ms = delivery.next_attempt_at.map_or(0, |next| next.since(now).max(0));
    u32::try_from(wait_ms.saturating_add(999) / 1000).unwrap_or(u32::MAX)
}

/// Follows up a stored attempt: counts it, sends the message for the next attempt, and stores the endpoint's health.
/// `probe`: the probe that the attempt is, if it is one. Returns the result for the log.
pub async fn follow_up(
    context: &Context, endpoint: &WebhookEndpoint, delivery: &Delivery, attempt: &Attempt, probe: Option<Probe>,
) -> Result<Outcome, WorkError> {
    context.metrics.add(if attempt.succeeded() { Metric::WebhooksDelivered } else { Metric::WebhooksFailed }, 1);
    if delivery.status == DeliveryStatus::Failed {
        context.metrics.add(Metric::WebhooksGivenUp, 1);
    }
    let now = context.now();
    if let Some(next) = delivery.next_attempt_at {
        send_message(context, &endpoint.meta.owner, delivery, next.since(now)).await;
    }
    let text = outcome_text(delivery, now);
    let log_outcome = |_: &WorkError| Outcome::new(&text).with(&endpoint.meta.id).log(&delivery.event);
    let disabled = store_health(context, endpoint, attempt, probe, now).await.inspect_err(log_outcome)?;
    Ok(match disabled {
        Some(event) => Outcome::new(text + ", endpoint disabled").with(event),
        None => Outcome::new(text),
    })
}

/// Sends the message for a delivery's next attempt in `wait_ms`, if a message can be delayed for so long. A later
/// attempt has only its due time.
pub async fn send_message(context: &Context, tenant: &Tenant, delivery: &Delivery, wait_ms: i64) {
    let delay_s = u32::try_from(wait_ms.max(0).saturating_add(999) / 1000).unwrap_or(u32::MAX);
    if delay_s > Outgoing::DELAY_S_MAX {
        return;
    }
    let Some(item) = WorkItem::of(&keys::delivery(tenant, &delivery.event, &delivery.endpoint)) else { return };
    if let Some((_, error)) = context.queues.send(&[Outgoing { item, delay_s }]).await.pop() {
        // The delivery's due time brings it back.
        tracing::warn!(target: "spillway", event = %delivery.event, error = %error, "the message of the next attempt was not sent");
    }
}

/// Stores the endpoint's health after a successful probe whose delivery another copy of the message has stored. Without
/// this, the endpoint would stay down. The next probe tells a failure again.
pub async fn store_successful_probe(
    context: &Context, endpoint: &WebhookEndpoint, attempt: &Attempt, probe: Option<Probe>,
) -> Result<(), WorkError> {
    if probe.is_some() && attempt.succeeded() {
        store_health(context, endpoint, attempt, probe, context.now()).await?;
    }
    Ok(())
}

/// Stores a change of the endpoint's health: it began to fail, works again, or is disabled. Returns the
/// event of the disabling if this disabled it.
async fn store_health(
    context: &Context, endpoint: &WebhookEndpoint, attempt: &Attempt, probe: Option<Probe>, now: Timestamp,
) -> Result<Option<EventId>, WorkError> {
    let (tenant, id) = (&endpoint.meta.owner, &endpoint.meta.id);
    match (attempt.succeeded(), endpoint.failing_since) {
        (true, _) if probe.is_some() || endpoint.is_down(now) => {
            if context.store.endpoint_recovered(endpoint, now).await? {
                tracing::info!(target: "spillway", endpoint = %id, "webhook endpoint works again");
            }
        }
        (true, Some(_)) => context.store.endpoint_works(tenant, id).await?,
        (true, None) => {}
        (false, _) if attempt.gone() => return disable(context, endpoint, None, now).await,
        (false, Some(since)) if now.since(since) >= DISABLED_AFTER_MS => {
            return disable(context, endpoint, Some(since), now).await;
        }
        (false, None) => context.store.endpoint_fails(endpoint, now).await?,
        (false, Some(_)) => {}
    }
    Ok(None)
}

/// Disables an endpoint that answered 410, or that has failed since `failing_since`. Returns the event. None if it
/// was disabled before, or works again.
async fn disable(
    context: &Context, endpoint: &WebhookEndpoint, failing_since: Option<Timestamp>, now: Timestamp,
) -> Result<Option<EventId>, WorkError> {
    let disabled = context.store.disable_endpoint(endpoint, failing_since, now).await?;
    if disabled.is_some() {
        tracing::warn!(target: "spillway", endpoint = %endpoint.meta.id, "webhook endpoint disabled");
    }
    Ok(disabled)
}
