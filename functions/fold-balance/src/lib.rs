//! The consumer of the folds queue. It adds movements to balances, so that readers have few movements to read.

use std::sync::Arc;

use spillway_domain::id::{EntryId, shard_of};
use spillway_domain::time::Timestamp;
use spillway_lambda::Invocation;
use spillway_runtime::{Metric, SettingError, Start};
use spillway_store::{QueueName, Store, WorkItem};
use spillway_work::{HasQueues, Outcome, Outgoing, Queues, WorkError, each};

/// Milliseconds that must remain of the invocation for another fold.
const RESERVE_MS: i64 = 5_000;
/// Each part of a balance is due once a day, at 00:15 UTC plus 0 to 3,599 s. A hash of its key chooses the second.
const DAILY_SPREAD_S: u16 = 3_600;
/// Milliseconds from midnight UTC to 00:15.
const DAILY_MS: i64 = 15 * 60 * 1000;

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
    loop {
        let now = context.now();
        if deadline.since(now) < RESERVE_MS {
            let more = Outgoing { item: item.clone(), delay_s: 0 };
            let unsent = context.queues.send(&[more]).await.pop();
            return unsent.map_or(Ok(", continued by another message"), |(_, error)| Err(error));
        }
        let (balance, due) = context.store.balance(tenant, currency, part).await?;
        // `folding` lists what the last fold has already added. The items of these movements may exist still.
        let seen = context.store.oldest_movements(tenant, currency, part, &balance.folding).await?;
        let movements = balance.unfolded(seen);
        if movements.is_empty() && !balance.has_matured(now.day()) {
            let next = next_due(item, now);
            context.store.settle_due(tenant, currency, part, due.as_ref(), next).await?;
            return Ok("");
        }
        // The order matters: the fold replaces `folding`, so the movements that it lists must be deleted before. Otherwise
        // a movement that still exists would look as if it was not added yet.
        context.store.delete_movements(tenant, &balance.folding).await?;
        let fold = balance.fold(&movements, now.day()).map_err(|error| WorkError::Refused(error.to_string()))?;
        if !context.store.fold(tenant, currency, part, &fold, next_due(item, now)).await? {
            return Ok(", then another copy of the message was faster");
        }
        context.metrics.add_all(Metric::MovementsFolded, movements.len());
        entries.extend(movements.into_iter().map(|movement| movement.key.entry));
    }
}

/// The result for the log: the number of folded movements, and the ids of their entries.
fn outcome_of(entries: &[EntryId], addition: &str) -> Outcome {
    let plural = if entries.len() == 1 { "" } else { "s" };
    entries.iter().fold(Outcome::new(format!("{} movement{plural}{addition}", entries.len())), Outcome::with)
}

/// The next daily due time of a part of a balance.
fn next_due(item: &WorkItem, now: Timestamp) -> Timestamp {
    let spread_s = shard_of(&format!("{}#{}", item.key().pk, item.key().sk), DAILY_SPREAD_S);
    now.day().plus_days(1).start().plus_millis(DAILY_MS).plus_seconds(u32::from(spread_s))
}

#[cfg(test)]
mod tests {
    use spillway_store::TableKey;

    use super::*;

    #[test]
    fn a_balance_is_due_the_next_day_from_a_quarter_past_midnight() {
        let pk = format!("{}#test#balances", spillway_domain::id::MerchantId::derive(&["m"]));
        let item = WorkItem::of(&TableKey { pk, sk: "USD".to_owned() }).unwrap();
        let now = Timestamp::parse("2026-01-31T23:59:59Z").unwrap();
        let due_at = next_due(&item, now);
        assert!(due_at >= Timestamp::parse("2026-02-01T00:15:00Z").unwrap());
        assert!(due_at < Timestamp::parse("2026-02-01T01:15:00Z").unwrap());
    }
}
