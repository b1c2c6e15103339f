//! The consumer of the webhooks queue. It delivers each event to the endpoints that want it, repeats failed attempts,
//! and sends the pending deliveries of an endpoint that works again.

mod delivery;
mod endpoints;
mod event;
mod recovery;
mod slow;

use std::sync::Arc;

use spillway_domain::time::Timestamp;
use spillway_lambda::Invocation;
use spillway_runtime::{SettingError, Start};
use spillway_store::{QueueName, Store, WorkItem, WorkKind};
use spillway_webhooks::{self as webhooks, Sender, SigningKeys};
use spillway_work::{Batch, HasQueues, Outcome, Queues, WorkError, each};

use endpoints::Endpoints;
use slow::Waiting;

/// The store, the queue of webhooks, the settings, the sender, the signing keys, and the attempts that wait for
/// merchants' servers.
pub struct Parts {
    store: Store,
    queues: Queues,
    webhooks: webhooks::Settings,
    sender: Sender,
    keys: SigningKeys,
    waiting: Waiting,
}

impl spillway_runtime::Parts for Parts {
    fn new(start: &Start<'_>) -> Result<Parts, SettingError> {
        let store = Store::with_events(start)?;
        let queues = Queues::new(start, &[QueueName::Webhooks])?;
        let webhooks = webhooks::Settings::read(&start.environment)?;
        let (sender, keys) = (Sender::new(&webhooks), SigningKeys::new(start)?);
        Ok(Parts { store, queues, webhooks, sender, keys, waiting: Waiting::default() })
    }
}

impl HasQueues for Parts {
    fn queues(&self) -> &Queues {
        &self.queues
    }

    fn has_room(&self, until: Timestamp, now: Timestamp) -> bool {
        self.waiting.any() && until.since(now) > i64::from(self.webhooks.message_ms())
    }

    async fn take_more(&self) -> Result<Batch, WorkError> {
        self.queues.receive(QueueName::Webhooks).await
    }

    async fn delete(&self, done: &[&str]) -> Result<(), WorkError> {
        self.queues.delete(QueueName::Webhooks, done).await
    }
}

type Context = spillway_runtime::Context<Parts>;

/// Works on each item by itself. The endpoints of a tenant are read once for the batch. While attempts wait for
/// merchants' servers, the invocation takes further batches, so that a server that never answers delays no other.
pub async fn handle(
    context: Arc<Context>, _: Invocation, items: Vec<WorkItem>,
) -> Vec<Result<Vec<Outcome>, WorkError>> {
    let endpoints = Endpoints::read(&context, &items).await;
    each(items, |item| work(&context, &endpoints, item)).await
}

async fn work(context: &Context, endpoints: &Endpoints, item: WorkItem) -> Result<Vec<Outcome>, WorkError> {
    match (item.kind, item.event(), item.endpoint()) {
        (WorkKind::Event, Some(event), _) => event::deliver(context, endpoints, item.tenant(), &event).await,
        (WorkKind::Delivery, Some(event), Some(endpoint)) => {
            delivery::retry(context, endpoints, item.tenant(), &event, &endpoint).await.map(Into::into)
        }
        (WorkKind::WebhookEndpoint, _, Some(endpoint)) => {
            recovery::send_pending(context, endpoints, &item, &endpoint).await.map(Into::into)
        }
        _ => Err(WorkError::UnknownKey),
    }
}
