//! An endpoint that was down works again: what waits for it is sent at once, page by page.

use spillway_domain::id::{EndpointId, EventId};
use spillway_domain::tenant::Tenant;
use spillway_domain::webhook::EndpointStatus;
use spillway_platform::work::{Done, Outgoing, Thing, WorkError};

use crate::Context;
use crate::endpoints::Endpoints;

/// Before each page. What was put off an instant ago is in the index by then, and a server that has just come back gets
/// no more than a page each second.
const PAGE_DELAY_S: u32 = 1;

/// The message that sends what waits for the endpoint, starting after the event `after`.
pub fn page(tenant: &Tenant, id: &EndpointId, after: Option<EventId>) -> Outgoing {
    Outgoing { thing: Thing::Endpoint { tenant: tenant.clone(), id: id.clone(), after }, delay_s: PAGE_DELAY_S }
}

/// Sends a message for each delivery of a page, which does nothing if that delivery may not begin yet, and one for the
/// next page. It ends when the endpoint is disabled, or down again.
pub async fn send_pending(
    context: &Context, endpoints: &Endpoints, tenant: &Tenant, id: &EndpointId, after: Option<&EventId>,
) -> Result<Done, WorkError> {
    let works = endpoints
        .get(tenant, id)?
        .is_some_and(|endpoint| endpoint.status == EndpointStatus::Enabled && !endpoint.is_down(context.now()));
    if !works {
        return Ok(Done::new("it is disabled, or down again"));
    }
    let (events, is_full) = context.store.pending_deliveries(tenant, id, after).await?;
    let done = Done::new(format!("{} deliveries sent for", events.len()));
    let next = events.last().filter(|_| is_full).cloned();
    let deliveries = events.into_iter().map(|event| {
        let thing = Thing::Delivery { tenant: tenant.clone(), event, endpoint: id.clone() };
        Outgoing { thing, delay_s: 0 }
    });
    send(context, &deliveries.collect::<Vec<_>>()).await?;
    if let Some(last) = next {
        send(context, &[page(tenant, id, Some(last))]).await?;
    }
    Ok(done)
}

/// Sends all of them, or fails with the first error.
async fn send(context: &Context, messages: &[Outgoing]) -> Result<(), WorkError> {
    match context.queues().send(messages).await.into_iter().next() {
        None => Ok(()),
        Some((_, error)) => Err(error),
    }
}
