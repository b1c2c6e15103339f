//! The consumer of the folds queue. It adds movements to balances, so that readers have few movements to read.

use std::sync::Arc;

use spillway_domain::balance::{Balance, part_of};
use spillway_domain::currency::Currency;
use spillway_domain::id::EntryId;
use spillway_domain::ledger::MovementKey;
use spillway_domain::tenant::Tenant;
use spillway_domain::time::Timestamp;
use spillway_lambda::Invocation;
use spillway_runtime::{Metric, SettingError, Start};
use spillway_store::{QueueName, Store, WorkItem};
use spillway_work::{HasQueues, Outcome, Outgoing, Queues, WorkError, each};

/// Milliseconds that must remain of the invocation for another fold.
const RESERVE_MS: i64 = 5_000;

/// The store, and the queue of folds.
pub struct Parts {
    store: Store,
    queues: Queues,
}

impl spillway_runtime::Parts for Parts {
    fn new(start: &Start<'_>) -> Result<Parts, SettingError> {
        let store = Store::new(start)?;
        let queues = Queues::new(start, &[QueueName::Folds])?;
        Ok(Parts { queues, store })
    }
}

impl HasQueues for Parts {
    fn queues(&self) -> &Queues {
        &self.queues
    }
}

type Context = spillway_runtime::Context<Parts>;

/// Folds each balance by itself.
pub async fn handle(
    context: Arc<Context>, invocation: Invocation, items: Vec<WorkItem>,
) -> Vec<Result<Outcome, WorkError>> {
    each(items, |item| work(&context, item, invocation.deadline)).await
}

async fn work(context: &Context, item: WorkItem, deadline: Timestamp) -> Result<Outcome, WorkError> {
    let mut folded = Vec::new();
    match fold(context, &item, deadline, &mut folded).await {
        Ok(addition) => Ok(outcome_of(&folded, addition)),
        Err(error) => {
            if !folded.is_empty() {
                outcome_of(&folded, "").log(item);
            }
            Err(error)
        }
    }
}

/// Folds until no movement is left and no pending amount has become available, until another copy of the message folds,
/// or until the time is up. In the last case it sends a new message. Adds the entries of folded movements to `entries`,
/// and returns an addition to the outcome for the log.
async fn fold(
    context: &Context, item: &WorkItem, deadline: Timestamp, entries: &mut Vec<EntryId>,
) -> Result<&'static str, WorkError> {
    let (tenant, (currency, part)) = (item.tenant(), item.balance().ok_or(WorkError::UnknownKey)?);
    let store = &context.store;
    let (mut balance, mut due) = store.balance(tenant, currency, part).await?;
    if balance.seq == 0 && part > 0 {
        delete_what_the_first_part_contains(store, tenant, currency, part).await?;
    }
    loop {
        let now = context.now();
        if deadline.since(now) < RESERVE_MS {
            let more = Outgoing { item: item.clone(), delay_s: 0 };
            let unsent = context.queues.send(&[more]).await.pop();
            return unsent.map_or(Ok(", continued by another message"), |(_, error)| Err(error));
        }
        let seen = store.oldest_movements(tenant, currency, part, &balance.folding).await?;
        let fold = balance.next_fold(&seen, now.day()).map_err(|error| WorkError::Refused(error.to_string()))?;
        let Some(fold) = fold else {
            store.settle_due(tenant, currency, part, due.as_ref()).await?;
            return Ok("");
        };
        // The order matters: until the update has named a movement, the movement must exist.
        if !store.fold(tenant, currency, part, &fold).await? {
            return Ok(", then another copy of the message was faster");
        }
        context.metrics.add_all(Metric::MovementsFolded, fold.added);
        entries.extend(fold.added().iter().map(|movement| movement.entry.clone()));
        store.delete_movements(tenant, &fold.after.folding).await?;
        // If no other copy folds the part, it is still as this copy stored it. The movements in `folding` are deleted.
        balance = Balance { folding: Vec::new(), ..fold.after };
        due = None;
    }
}

/// Deletes the movements of a part's shards that the first part of the balance contains. Release 0.1.0 folded all shards
/// into the first part. Its list keeps such a movement until its item is deleted.
async fn delete_what_the_first_part_contains(
    store: &Store, tenant: &Tenant, currency: Currency, part: u16,
) -> Result<(), WorkError> {
    let (first, _) = store.balance(tenant, currency, 0).await?;
    let folded: Vec<MovementKey> = first.folding.into_iter().filter(|key| part_of(key.entry.shard()) == part).collect();
    Ok(store.delete_movements(tenant, &folded).await?)
}

/// The result for the log: the number of folded movements, and the ids of their entries.
fn outcome_of(entries: &[EntryId], addition: &str) -> Outcome {
    let plural = if entries.len() == 1 { "" } else { "s" };
    entries.iter().fold(Outcome::new(format!("{} movement{plural}{addition}", entries.len())), Outcome::with)
}
