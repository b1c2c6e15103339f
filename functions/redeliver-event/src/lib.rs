//! Sends failed deliveries of webhooks again: those of one event, or all of an endpoint since a time. An operator
//! invokes this function directly; it has no route.

mod request;
mod transaction;

use std::collections::BTreeMap;
use std::sync::Arc;

use spillway_domain::id::{EndpointId, EventId};
use spillway_domain::time::Timestamp;
use spillway_domain::webhook::{EndpointStatus, NotRedelivered};
use spillway_lambda::{Answered, Invocation};
use spillway_store::{REDELIVERIES_MAX, StoreError, StoreWithEvents};
use spillway_wire::FromOperator;
use spillway_wire::view::{self, RedeliveryView};
use spillway_work::{Outcome, Subject};

pub use request::RedeliverEvent;
use request::Which;
use transaction::{By, OfEvent, Redelivered, redeliver};

/// Milliseconds that remain of the invocation when no further page begins.
const RESERVE_MS: i64 = 15_000;

type Context = spillway_runtime::Context<StoreWithEvents>;

/// Why no delivery was sent again. Each text is one sentence for the operator.
#[derive(Debug, thiserror::Error)]
pub enum RedeliverEventError {
    /// The merchant has no such event in this mode, or it has expired.
    #[error("There is no event {0} of this merchant in this mode, or it has expired.")]
    NoEvent(EventId),
    /// The event has no delivery, or none to the requested endpoint.
    #[error("The event {0} has no such delivery; no endpoint received it when it happened.")]
    NoDelivery(EventId),
    /// The endpoint does not exist.
    #[error("There is no webhook endpoint {0}, or it was deleted.")]
    NoEndpoint(EndpointId),
    /// The endpoint is disabled.
    #[error("The webhook endpoint {0} is disabled; when its merchant has enabled it, send the same request again.")]
    Disabled(EndpointId),
    /// The endpoint's filters no longer match the event.
    #[error("The webhook endpoint {0} no longer receives events of this type.")]
    NotWanted(EndpointId),
    /// Other requests changed the deliveries or the endpoints during each try.
    #[error("The deliveries were changed by others during each of {0} tries; send the same request again.")]
    Overtaken(u32),
    /// The table failed.
    #[error("The deliveries can't be sent again: {0}.")]
    Store(#[from] StoreError),
}

/// Marks failed deliveries as pending and due now, so that they are attempted again. A delivery that is pending or has
/// succeeded is only counted. So a repeated request sends nothing twice.
pub async fn handle(
    context: Arc<Context>, invocation: Invocation, asked: FromOperator<RedeliverEvent>,
) -> Result<Answered<RedeliveryView>, RedeliverEventError> {
    let FromOperator { operator, request: RedeliverEvent { tenant, which } } = asked;
    let by = By { operator, request_id: invocation.request_id, tenant };
    match which {
        Which::Event(event, endpoint) => one_event(&context, &by, event, endpoint.as_ref()).await,
        Which::Since(endpoint, since) => {
            let until = invocation.deadline.plus_millis(-RESERVE_MS);
            since_time(&context, &by, &endpoint, since, until).await
        }
    }
}

/// Sends the failed deliveries of one event again.
async fn one_event(
    context: &Context, by: &By, event: EventId, endpoint: Option<&EndpointId>,
) -> Result<Answered<RedeliveryView>, RedeliverEventError> {
    let results = match redeliver(context, by, std::slice::from_ref(&event), endpoint).await?.pop() {
        Some(OfEvent::Deliveries(results)) => results,
        Some(OfEvent::Missing) | None => return Err(RedeliverEventError::NoEvent(event)),
        Some(OfEvent::Unreadable(error)) => return Err(error.into()),
    };
    if results.is_empty() {
        return Err(RedeliverEventError::NoDelivery(event));
    }
    let mut refusals: Vec<_> = results.iter().filter_map(|(endpoint, result)| refusal(endpoint, *result)).collect();
    if refusals.len() == results.len() {
        return Err(refusals.swap_remove(0));
    }
    let mut counts = Counts::default();
    results.iter().for_each(|(_, result)| counts.add(*result));
    let outcome = results.iter().map(|(endpoint, _)| endpoint).fold(Outcome::new(counts.text()), Outcome::with);
    let about = Subject::new(&event).of(&by.tenant).outcome(outcome);
    Ok(Answered::new(view::redelivery(counts.0, None), about))
}

/// Sends the failed deliveries of all events since a time to one endpoint again, the oldest first. If `until` comes
/// before the end, the answer has the time from which the same request goes on.
async fn since_time(
    context: &Context, by: &By, endpoint: &EndpointId, since: Timestamp, until: Timestamp,
) -> Result<Answered<RedeliveryView>, RedeliverEventError> {
    match context.store.webhook_endpoint(&by.tenant, endpoint).await? {
        None => return Err(RedeliverEventError::NoEndpoint(endpoint.clone())),
        Some(found) if found.status == EndpointStatus::Disabled => {
            return Err(RedeliverEventError::Disabled(endpoint.clone()));
        }
        Some(_) => {}
    }
    let (mut counts, mut sent) = (Counts::default(), Vec::new());
    let mut after = EventId::first_at(since);
    let continue_since = loop {
        let (events, is_full) = context.store.failed_deliveries(&by.tenant, endpoint, &after).await?;
        for some in events.chunks(REDELIVERIES_MAX) {
            for (id, event) in some.iter().zip(redeliver(context, by, some, Some(endpoint)).await?) {
                match event {
                    OfEvent::Deliveries(results) => {
                        sent.extend(results.iter().filter(|(_, result)| result.is_ok()).map(|_| id.clone()));
                        results.iter().for_each(|(_, result)| counts.add(*result));
                    }
                    OfEvent::Missing => counts.add_text("expired"),
                    OfEvent::Unreadable(_) => counts.add_text("unreadable"),
                }
            }
        }
        let Some(last) = events.last().filter(|_| is_full) else { break None };
        if context.now() >= until {
            break Some(last.time());
        }
        last.as_str().clone_into(&mut after);
    };
    let outcome = sent.iter().fold(Outcome::new(counts.text()), Outcome::with);
    let about = Subject::new(endpoint).of(&by.tenant).outcome(outcome);
    Ok(Answered::new(view::redelivery(counts.0, continue_since), about))
}

/// The error for a delivery that is refused because of its endpoint. None for other results.
fn refusal(endpoint: &EndpointId, result: Redelivered) -> Option<RedeliverEventError> {
    match result {
        Err(NotRedelivered::EndpointDeleted) => Some(RedeliverEventError::NoEndpoint(endpoint.clone())),
        Err(NotRedelivered::EndpointDisabled) => Some(RedeliverEventError::Disabled(endpoint.clone())),
        Err(NotRedelivered::NotWanted) => Some(RedeliverEventError::NotWanted(endpoint.clone())),
        Ok(()) | Err(NotRedelivered::Pending | NotRedelivered::Succeeded) => None,
    }
}

/// The numbers of deliveries by their result.
#[derive(Default)]
struct Counts(BTreeMap<&'static str, u64>);

impl Counts {
    fn add(&mut self, result: Redelivered) {
        self.add_text(result.map_or_else(<&str>::from, |()| "redelivered"));
    }

    fn add_text(&mut self, result: &'static str) {
        *self.0.entry(result).or_default() += 1;
    }

    /// The numbers for the log.
    fn text(&self) -> String {
        let parts: Vec<String> = self.0.iter().map(|(result, count)| format!("{count} {result}")).collect();
        if parts.is_empty() { "none".to_owned() } else { parts.join(", ") }
    }
}
