//! The webhooks queue: delivers each event to the endpoints that want it, tries again what failed, and sends what waits
//! for an endpoint that works again.

mod delivery;
mod endpoints;
mod event;
mod recovery;

use std::sync::Arc;

use spillway_platform::runtime::settings::Webhooks;
use spillway_platform::runtime::{self, HasQueues, Invocation, SettingError, Start};
use spillway_platform::store::Store;
use spillway_platform::webhook::Sender;
use spillway_platform::work::{Done, QueueName, Queues, Thing, WorkError, each};

use endpoints::Endpoints;

/// The store, the queue of webhooks, and how they are sent.
pub struct Parts {
    store: Store,
    queues: Queues,
    webhooks: Webhooks,
    sender: Sender,
}

impl runtime::Parts for Parts {
    fn new(start: &Start<'_>) -> Result<Parts, SettingError> {
        let store = Store::with_due_times(start)?;
        let queues = Queues::new(start, &[QueueName::Webhooks])?;
        let webhooks = Webhooks::read(&start.environment)?;
        Ok(Parts { store, queues, sender: Sender::new(&webhooks), webhooks })
    }
}

impl HasQueues for Parts {
    fn queues(&self) -> &Queues {
        &self.queues
    }
}

type Context = runtime::Context<Parts>;

/// Delivers each event and each retry by itself; the endpoints of a merchant are read once for the batch.
pub async fn handle(context: Arc<Context>, _: Invocation, things: Vec<Thing>) -> Vec<Result<Vec<Done>, WorkError>> {
    let endpoints = Endpoints::read(&context, &things).await;
    each(things, |thing| async {
        match thing {
            Thing::Event { tenant, id } => event::deliver(&context, &endpoints, &tenant, &id).await,
            Thing::Delivery { tenant, event, endpoint } => {
                delivery::retry(&context, &endpoints, &tenant, &event, &endpoint).await.map(Into::into)
            }
            Thing::Endpoint { tenant, id, after } => {
                recovery::send_pending(&context, &endpoints, &tenant, &id, after.as_ref()).await.map(Into::into)
            }
            Thing::Payment { .. } | Thing::Balance { .. } => Err(WorkError::Unreadable),
        }
    })
    .await
}
