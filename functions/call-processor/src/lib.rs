//! The consumer of the processor queue. It calls the card processor for payments and refunds, and commits the results.

mod operation;

use std::sync::Arc;

use spillway_domain::operation::UnknownOutcomePolicy;
use spillway_domain::payment::Payment;
use spillway_domain::refund::Refund;
use spillway_lambda::Invocation;
use spillway_processors::Processors;
use spillway_runtime::{SettingError, Start};
use spillway_store::{Merchants, QueueName, Store, WorkItem, WorkKind};
use spillway_work::{HasQueues, Outcome, Queues, WorkError, each};

/// The store, the merchants, the queue, the processors, and the settings for unknown outcomes.
pub struct Parts {
    store: Store,
    merchants: Merchants,
    queues: Queues,
    processors: Processors,
    unknown_outcome: UnknownOutcomePolicy,
}

impl spillway_runtime::Parts for Parts {
    fn new(start: &Start<'_>) -> Result<Parts, SettingError> {
        let store = Store::with_events(start)?.with_failure_limit(start)?;
        let unknown_outcome = spillway_processors::unknown_outcome(&start.environment)?;
        Ok(Parts {
            merchants: Merchants::new(start, &store)?,
            queues: Queues::new(start, &[QueueName::Processor])?,
            processors: Processors::new(start, &store, &unknown_outcome),
            unknown_outcome,
            store,
        })
    }
}

impl HasQueues for Parts {
    fn queues(&self) -> &Queues {
        &self.queues
    }
}

type Context = spillway_runtime::Context<Parts>;

/// Works on each item by itself.
pub async fn handle(context: Arc<Context>, _: Invocation, items: Vec<WorkItem>) -> Vec<Result<Outcome, WorkError>> {
    each(items, |item| work(&context, item)).await
}

async fn work(context: &Context, item: WorkItem) -> Result<Outcome, WorkError> {
    match item.kind {
        WorkKind::Payment => operation::advance::<Payment>(context, &item).await,
        WorkKind::Refund => operation::advance::<Refund>(context, &item).await,
        _ => Err(WorkError::UnknownKey),
    }
}
