//! The folds queue: adds movements to a balance, so that there are few to read.

use std::sync::Arc;

use spillway_domain::currency::Currency;
use spillway_domain::id::{EntryId, shard_of};
use spillway_domain::tenant::Tenant;
use spillway_domain::time::Timestamp;
use spillway_platform::runtime::{self, HasQueues, Invocation, Merchants, Metric, SettingError, Start};
use spillway_platform::store::Store;
use spillway_platform::work::{Done, Outgoing, QueueName, Queues, Thing, WorkError, each};

/// A fold begins only if this much time is left.
const RESERVE_MS: i64 = 5_000;
/// The daily look at a balance comes at 00:15 UTC and up to this many seconds later, each balance at its own time.
const DAILY_SPREAD_S: u16 = 3_600;
const DAILY_MS: i64 = 15 * 60 * 1000;

/// The store, and the queue of folds.
pub struct Parts {
    store: Store,
    merchants: Merchants,
    queues: Queues,
}

impl runtime::Parts for Parts {
    fn new(start: &Start<'_>) -> Result<Parts, SettingError> {
        let store = Store::new(start)?;
        let queues = Queues::new(start, &[QueueName::Folds])?;
        Ok(Parts { merchants: Merchants::new(start, &store)?, queues, store })
    }
}

impl HasQueues for Parts {
    fn queues(&self) -> &Queues {
        &self.queues
    }
}

type Context = runtime::Context<Parts>;

/// Folds each balance by itself.
pub async fn handle(context: Arc<Context>, invocation: Invocation, things: Vec<Thing>) -> Vec<Result<Done, WorkError>> {
    each(things, |thing| work(&context, thing, invocation.deadline)).await
}

async fn work(context: &Context, thing: Thing, deadline: Timestamp) -> Result<Done, WorkError> {
    let Thing::Balance { tenant, currency } = &thing else { return Err(WorkError::Unreadable) };
    let mut folded = Vec::new();
    match fold(context, tenant, *currency, deadline, &mut folded).await {
        Ok(and) => Ok(done(&folded, and)),
        Err(error) => {
            if !folded.is_empty() {
                done(&folded, "").log(thing.subject());
            }
            Err(error)
        }
    }
}

/// Folds until nothing is left, somebody else folds, or the time is up: then a new message goes on. Adds the entries
/// whose movements it folded to `entries`, and gives what else is to be told.
async fn fold(
    context: &Context, tenant: &Tenant, currency: Currency, deadline: Timestamp, entries: &mut Vec<EntryId>,
) -> Result<&'static str, WorkError> {
    let merchant = context.merchants.get(&tenant.merchant).await?;
    let merchant = merchant.ok_or_else(|| WorkError::Refused("the balance's merchant is not there".to_owned()))?;
    loop {
        let now = context.now();
        if deadline.since(now) < RESERVE_MS {
            let more = Outgoing { thing: Thing::Balance { tenant: tenant.clone(), currency }, delay_s: 0 };
            let unsent = context.queues().send(&[more]).await.pop();
            return unsent.map_or(Ok(", and a message goes on"), |(_, error)| Err(error));
        }
        let (balance, due) = context.store.balance(tenant, currency).await?;
        let shards = merchant.shards.largest();
        let seen = context.store.oldest_movements(tenant, shards, currency, &balance.folding).await?;
        let movements = balance.unfolded(seen);
        if movements.is_empty() && !balance.has_matured(now.day()) {
            let next = next_look(tenant, currency, now);
            context.store.settle_due(tenant, currency, due.as_ref(), next).await?;
            return Ok("");
        }
        // The order is the proof: only when these are gone may the list that names them be replaced.
        context.store.delete_movements(tenant, &balance.folding).await?;
        let fold = balance.fold(&movements, now.day()).map_err(|error| WorkError::Refused(error.to_string()))?;
        if !context.store.fold(tenant, currency, &fold, next_look(tenant, currency, now)).await? {
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
fn next_look(tenant: &Tenant, currency: Currency, now: Timestamp) -> Timestamp {
    let spread_s = shard_of(&format!("{tenant}#{currency}"), DAILY_SPREAD_S);
    now.day().plus_days(1).start().plus_millis(DAILY_MS).plus_seconds(u32::from(spread_s))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_balance_is_looked_at_the_next_day_after_a_quarter_past_midnight() {
        let tenant = Tenant::parse(&format!("{}#test", spillway_domain::id::MerchantId::derive(&["m"]))).unwrap();
        let now = Timestamp::parse("2026-01-31T23:59:59Z").unwrap();
        let look = next_look(&tenant, Currency::parse("USD").unwrap(), now);
        assert!(look >= Timestamp::parse("2026-02-01T00:15:00Z").unwrap());
        assert!(look < Timestamp::parse("2026-02-01T01:15:00Z").unwrap());
    }
}
