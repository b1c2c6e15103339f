//! An endpoint that was down works again: what waits for it is sent at once, page by page.

use spillway_domain::id::EndpointId;
use spillway_domain::webhook::EndpointStatus;
use spillway_store::{WorkItem, keys};
use spillway_work::{Done, Outgoing, WorkError};

use crate::Context;
use crate::endpoints::Endpoints;

/// Before each further page: a server that has just come back gets no more than a page each second.
const PAGE_DELAY_S: u32 = 1;

/// Sends a message for each delivery of a page, which does nothing if that delivery may not begin yet, and one for the
/// next page. It ends when the endpoint is disabled, or down again.
pub async fn send_pending(
    context: &Context, endpoints: &Endpoints, item: &WorkItem, id: &EndpointId,
) -> Result<Done, WorkError> {
    let tenant = item.tenant();
    let works = endpoints
        .get(tenant, id)?
        .is_some_and(|endpoint| endpoint.status == EndpointStatus::Enabled && !endpoint.is_down(context.now()));
    if !works {
        return Ok(Done::new("it is disabled, or down again"));
    }
    let (events, is_full) = context.store.pending_deliveries(tenant, id, item.after.as_ref()).await?;
    let done = Done::new(format!("{} deliveries sent for", events.len()));
    let next = events.last().filter(|_| is_full).cloned();
    let deliveries = events.into_iter().filter_map(|event| {
        let item = WorkItem::of(&keys::delivery(tenant, &event, id))?;
        Some(Outgoing { item, delay_s: 0 })
    });
    send(context, &deliveries.collect::<Vec<_>>()).await?;
    if next.is_some() {
        send(context, &[Outgoing { item: item.clone().after(next), delay_s: PAGE_DELAY_S }]).await?;
    }
    Ok(done)
}

/// Sends all of them, or fails with the first error.
async fn send(context: &Context, messages: &[Outgoing]) -> Result<(), WorkError> {
    match context.queues.send(messages).await.into_iter().next() {
        None => Ok(()),
        Some((_, error)) => Err(error),
    }
}
