//! The webhooks queue: delivers each event to the endpoints that want it, tries again what failed, and sends what waits
//! for an endpoint that works again.

mod delivery;
mod endpoints;
mod event;
mod recovery;

use std::sync::Arc;

use spillway_platform::runtime::{Context, Invocation};
use spillway_platform::work::{Thing, WorkError, each};

use endpoints::Endpoints;

/// Delivers each event and each retry by itself; the endpoints of a merchant are read once for the batch.
pub async fn handle(context: Arc<Context>, _: Invocation, things: Vec<Thing>) -> Vec<Result<(), WorkError>> {
    let endpoints = Endpoints::read(&context, &things).await;
    each(things, |thing| async {
        match thing {
            Thing::Event { tenant, id } => event::deliver(&context, &endpoints, &tenant, &id).await,
            Thing::Delivery { tenant, event, endpoint } => {
                delivery::retry(&context, &endpoints, &tenant, &event, &endpoint).await
            }
            Thing::Endpoint { tenant, id, after } => {
                recovery::send_pending(&context, &endpoints, &tenant, &id, after.as_ref()).await
            }
            Thing::Payment { .. } | Thing::Balance { .. } => Err(WorkError::Unreadable),
        }
    })
    .await
}
