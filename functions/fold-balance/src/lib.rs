//! The folds queue: adds movements to a balance, so that there are few to read.

use std::sync::Arc;

use spillway_domain::id::{EntryId, shard_of};
use spillway_domain::time::Timestamp;
use spillway_lambda::Invocation;
use spillway_runtime::{Metric, SettingError, Start};
use spillway_store::{QueueName, Store, WorkItem};
use spillway_work::{Done, HasQueues, Outgoing, Queues, WorkError, each};

/// A fold begins only if this much time is left.
const RESERVE_MS: i64 = 5_000;
/// The daily look at a balance comes at 00:15 UTC and up to this many seconds later, each balance at its own time.
const DAILY_SPREAD_S: u16 = 3_600;
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
) -> Vec<Result<Done, WorkError>> {
    each(items, |item| work(&context, item, invocation.deadline)).await
}

async fn work(context: &Context, item: WorkItem, deadline: Timestamp) -> Result<Done, WorkError> {
    let mut folded = Vec::new();
    match fold(context, &item, deadline, &mut folded).await {
        Ok(and) => Ok(done(&folded, and)),
        Err(error) => {
            if !folded.is_empty() {
                done(&folded, "").log(item);
            }
            Err(error)
        }
    }
}

/// Folds until nothing is left, somebody else folds, or the time is up: then a new message goes on. Adds the entries
/// whose movements it folded to `entries`, and gives what else is to be told.
async fn fold(
    context: &Context, item: &WorkItem, deadline: Timestamp, entries: &mut Vec<EntryId>,
) -> Result<&'static str, WorkError> {
    let (tenant, (currency, part)) = (item.tenant(), item.balance().ok_or(WorkError::UnknownKey)?);
    loop {
        let now = context.now();
        if deadline.since(now) < RESERVE_MS {
            let more = Outgoing { item: item.clone(), delay_s: 0 };
            let unsent = context.queues.send(&[more]).await.pop();
            return unsent.map_or(Ok(", and a message goes on"), |(_, error)| Err(error));
        }
        let (balance, due) = context.store.balance(tenant, currency, part).await?;
        let seen = context.store.oldest_movements(tenant, currency, part, &balance.folding).await?;
        let movements = balance.unfolded(seen);
        if movements.is_empty() && !balance.has_matured(now.day()) {
            let next = next_look(item, now);
            context.store.settle_due(tenant, currency, part, due.as_ref(), next).await?;
            return Ok("");
        }
        // The order is the proof: only when these are gone may the list that names them be replaced.
        context.store.delete_movements(tenant, &balance.folding).await?;
        let fold = balance.fold(&movements, now.day()).map_err(|error| WorkError::Refused(error.to_string()))?;
        if !context.store.fold(tenant, currency, part, &fold, next_look(item, now)).await? {
            return Ok(", then another copy of the message was faster");
        }
        context.metrics.add_all(Metric::MovementsFolded, movements.len());
        entries.extend(movements.into_iter().map(|movement| movement.key.entry));
    }
}

/// For the log: how many movements were folded, and of which entries.
fn done(entries: &[EntryId], and: &str) -> Done {
    let plural = if entries.len() == 1 { "" } else { "s" };
    entries.iter().fold(Done::new(format!("{} movement{plural}{and}", entries.len())), Done::with)
}

/// When the balance is looked at in any case: the next day, spread by a hash.
fn next_look(item: &WorkItem, now: Timestamp) -> Timestamp {
    let spread_s = shard_of(&format!("{}#{}", item.key().pk, item.key().sk), DAILY_SPREAD_S);
    now.day().plus_days(1).start().plus_millis(DAILY_MS).plus_seconds(u32::from(spread_s))
}

#[cfg(test)]
mod tests {

    use spillway_store::TableKey;

    use super::*;

    #[test]
    fn a_balance_is_looked_at_the_next_day_after_a_quarter_past_midnight() {
        let pk = format!("{}#test#balances", spillway_domain::id::MerchantId::derive(&["m"]));
        let item = WorkItem::of(&TableKey { pk, sk: "USD".to_owned() }).unwrap();
        let now = Timestamp::parse("2026-01-31T23:59:59Z").unwrap();
        let look = next_look(&item, now);
        assert!(look >= Timestamp::parse("2026-02-01T00:15:00Z").unwrap());
        assert!(look < Timestamp::parse("2026-02-01T01:15:00Z").unwrap());
    }
}
