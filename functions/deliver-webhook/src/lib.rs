//! The webhooks queue: delivers each event to the endpoints that want it, and tries again what failed.

mod delivery;
mod endpoints;
mod event;

use std::sync::Arc;

use spillway_platform::runtime::{Context, Invocation};
use spillway_platform::work::{Done, Thing, WorkError, each};

use endpoints::Endpoints;

/// Delivers each event and each retry by itself; the endpoints of a merchant are read once for the batch.
pub async fn handle(context: Arc<Context>, _: Invocation, things: Vec<Thing>) -> Vec<Result<Vec<Done>, WorkError>> {
    let endpoints = Endpoints::read(&context, &things).await;
    each(things, |thing| async {
        match thing {
            Thing::Event { tenant, id } => event::deliver(&context, &endpoints, &tenant, &id).await,
            Thing::Delivery { tenant, event, endpoint } => {
                delivery::retry(&context, &endpoints, &tenant, &event, &endpoint).await.map(Into::into)
            }
            Thing::Payment { .. } | Thing::Balance { .. } => Err(WorkError::Unreadable),
        }
    })
    .await
}
