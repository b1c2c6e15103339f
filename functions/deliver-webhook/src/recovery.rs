//! The recovery of an endpoint that was down. Its pending deliveries are sent at once, page by page.

use spillway_domain::id::EndpointId;
use spillway_domain::webhook::EndpointStatus;
use spillway_store::{WorkItem, keys};
use spillway_work::{Outcome, Outgoing, WorkError};

use crate::Context;
use crate::endpoints::Endpoints;

/// Seconds before each further page. So a server that has just recovered gets at most one page a second.
const PAGE_DELAY_S: u32 = 1;

/// Enqueues each delivery of a page, and a message for the next page. A delivery that may not begin yet ignores its
/// message. The recovery ends if the endpoint is disabled, deleted or down again.
pub async fn send_pending(
    context: &Context, endpoints: &Endpoints, item: &WorkItem, id: &EndpointId,
) -> Result<Outcome, WorkError> {
    let tenant = item.tenant();
    let works = endpoints
        .get(tenant, id)?
        .is_some_and(|endpoint| endpoint.status == EndpointStatus::Enabled && !endpoint.is_down(context.now()));
    if !works {
        return Ok(Outcome::new("disabled or down again"));
    }
    let (events, is_full) = context.store.pending_deliveries(tenant, id, item.after.as_ref()).await?;
    let outcome = events.iter().fold(Outcome::new(format!("{} deliveries enqueued", events.len())), Outcome::with);
    let next = events.last().filter(|_| is_full).cloned();
    let deliveries = events.into_iter().filter_map(|event| {
        let item = WorkItem::of(&keys::delivery(tenant, &event, id))?;
        Some(Outgoing { item, delay_s: 0 })
    });
    send(context, &deliveries.collect::<Vec<_>>()).await?;
    if next.is_some() {
        send(context, &[Outgoing { item: item.clone().after(next), delay_s: PAGE_DELAY_S }]).await?;
    }
    Ok(outcome)
}

/// Sends messages. Errors with the first error if one was not sent.
async fn send(context: &Context, messages: &[Outgoing]) -> Result<(), WorkError> {
    match context.queues.send(messages).await.into_iter().next() {
        None => Ok(()),
        Some((_, error)) => Err(error),
    }
}
