//! Each minute: whatever is unfinished and overdue is enqueued again. So nothing is forgotten, whatever was lost.

use std::sync::Arc;

use futures::stream::{self, StreamExt as _, TryStreamExt as _};
use spillway_domain::time::Timestamp;
use spillway_platform::runtime::{Context, Invocation};
use spillway_platform::store::{Claim, DueSpace, Key, StoreError};
use spillway_platform::work::{Send, WorkError};

/// Partitions that are swept at once, and claims that are made at once.
const AT_ONCE: usize = 16;
/// From this claim on, an item counts as overdue: something does not work.
const OVERDUE_CLAIMS: u32 = 3;
/// A partition is read on only if this much time is left.
const RESERVE_MS: i64 = 10_000;

/// Sweeps all partitions, money first; each has its own budget of time.
pub async fn handle(context: Arc<Context>, invocation: Invocation) -> Result<String, WorkError> {
    let mut told = Vec::new();
    for space in DueSpace::ALL {
        let shards = 0..context.store.due_shards(space);
        let swept: Vec<usize> = stream::iter(shards)
            .map(|shard| sweep(&context, space, shard, invocation.deadline))
            .buffer_unordered(AT_ONCE)
            .try_collect()
            .await?;
        told.push(format!("{} {}", swept.iter().sum::<usize>(), space.as_str()));
    }
    Ok(format!("enqueued {}", told.join(", ")))
}

/// Enqueues what is overdue in one partition. Gives how many.
async fn sweep(context: &Context, space: DueSpace, shard: u16, deadline: Timestamp) -> Result<usize, WorkError> {
    let mut enqueued = 0;
    loop {
        let now = context.now();
        let overdue = context.store.overdue(space, shard, now).await?;
        if overdue.is_empty() || deadline.since(now) < RESERVE_MS {
            return Ok(enqueued);
        }
        let claims: Vec<Option<Claim>> = stream::iter(overdue)
            .map(|(key, due_at)| claim(context, key, due_at, now))
            .buffer_unordered(AT_ONCE)
            .try_collect()
            .await?;
        let claims: Vec<Claim> = claims.into_iter().flatten().collect();
        if claims.is_empty() {
            return Ok(enqueued);
        }
        enqueued += send(context, &claims).await?;
    }
}

async fn claim(context: &Context, key: Key, due_at: Timestamp, now: Timestamp) -> Result<Option<Claim>, StoreError> {
    context.store.claim(&key, due_at, now, context.settings.claim_s).await
}

/// Sends a message for each claimed item. One that is not sent is claimed again later.
async fn send(context: &Context, claims: &[Claim]) -> Result<usize, WorkError> {
    let mut messages = Vec::with_capacity(claims.len());
    for claim in claims {
        if claim.claims >= OVERDUE_CLAIMS {
            tracing::warn!(target: "spillway", pk = %claim.key.pk, sk = %claim.key.sk, claims = claim.claims, "overdue");
        }
        match claim.key.thing() {
            Some(thing) => messages.push(Send { thing, delay_s: 0 }),
            None => {
                tracing::error!(target: "spillway", pk = %claim.key.pk, sk = %claim.key.sk, "due, but nothing can be done for it")
            }
        }
    }
    match context.queues().send(&messages).await.pop() {
        None => Ok(messages.len()),
        Some((_, error)) => Err(error),
    }
}
