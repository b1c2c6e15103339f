//! The sweep. Each minute it enqueues overdue items again, so that a lost message delays work but does not lose it. It
//! also sets the gauges of unfinished work.

mod gauges;

use std::sync::Arc;

use futures::stream::{self, StreamExt as _};
use spillway_domain::time::Timestamp;
use spillway_lambda::Invocation;
use spillway_runtime::{Metric, SettingError, Start};
use spillway_store::{Claim, DueGroup, QueueName, SWEEP_MAX, Store, StoreError, Unfinished, WorkItem};
use spillway_work::{Outgoing, Queues, WorkError};

/// Partitions that are swept at the same time, and claims that are made at the same time for each of their pages: up to
/// 256 claims together. Also reads for a gauge that are made at the same time.
const AT_ONCE: usize = 16;
/// The claim from which an item is stuck: so many claims point to a fault.
const STUCK_CLAIMS: u32 = 3;
/// Milliseconds that remain of the invocation when the sweep ends.
const RESERVE_MS: i64 = 10_000;

/// The store, the queues, and the time between two claims of an item.
pub struct Parts {
    store: Store,
    queues: Queues,
    /// `CLAIM_SECONDS`: seconds until a claimed item is overdue again. They double with each claim.
    claim_s: u32,
    /// `FIRST_DUE_SECONDS`: seconds from the expected end of an item's work to its due time.
    first_due_s: u32,
}

impl spillway_runtime::Parts for Parts {
    fn new(start: &Start<'_>) -> Result<Parts, SettingError> {
        let store = Store::new(start)?;
        let queues = Queues::new(start, &QueueName::ALL)?;
        let claim_s = start.environment.number("CLAIM_SECONDS")?;
        Ok(Parts { store, queues, claim_s, first_due_s: start.environment.number("FIRST_DUE_SECONDS")? })
    }
}

type Context = spillway_runtime::Context<Parts>;

/// Sweeps the three due groups, money first. Each group gets its share of the remaining time, so that a backlog of one
/// does not delay the others. Returns the enqueued items, and a text with the count of each group, or the first error.
pub async fn handle(context: Arc<Context>, invocation: Invocation) -> (Vec<WorkItem>, Result<String, WorkError>) {
    let (mut counts, mut enqueued) = (Vec::new(), Vec::new());
    let mut failed = None;
    for (index, group) in DueGroup::ALL.into_iter().enumerate() {
        let now = context.now();
        let groups_left = i64::try_from(DueGroup::ALL.len() - index).unwrap_or(1);
        let until = now.plus_millis((invocation.deadline.since(now) - RESERVE_MS) / groups_left);
        let swept = sweep(&context, group, until).await;
        counts.push(format!("{} {}", swept.enqueued.len(), group.as_str()));
        enqueued.extend(swept.enqueued);
        failed = failed.or(swept.failed);
        // If a page is missing, no gauge is set, because the count would be too low.
        if let Some(seen) = swept.seen
            && let Err(error) = gauges::set(&context, group, seen, now).await
        {
            failed = failed.or(Some(error.into()));
        }
    }
    (enqueued, failed.map_or_else(|| Ok(format!("enqueued {}", counts.join(", "))), Err))
}

/// The result of a sweep. A failure ends only the sweep of its own partition.
#[derive(Default)]
struct Swept {
    enqueued: Vec<WorkItem>,
    /// The first error.
    failed: Option<WorkError>,
    /// Partitions to sweep again: their page was full of overdue items, and nothing failed in it.
    unfinished: Vec<u16>,
    /// The items of the first pages, overdue or not. None if a page was not read.
    seen: Option<Vec<Unfinished>>,
}

/// Sweeps a page of each partition, then another page of each partition that is to be swept again, until none is. From
/// `until` on, no page and no claim begins.
async fn sweep(context: &Context, group: DueGroup, until: Timestamp) -> Swept {
    let mut swept = sweep_pages(context, group, (0..group.shards()).collect(), until).await;
    while !swept.unfinished.is_empty() && context.now() < until {
        let next = sweep_pages(context, group, std::mem::take(&mut swept.unfinished), until).await;
        swept.enqueued.extend(next.enqueued);
        swept.unfinished = next.unfinished;
        swept.failed = swept.failed.or(next.failed);
    }
    swept
}

/// Sweeps a page of each of these partitions.
async fn sweep_pages(context: &Context, group: DueGroup, shards: Vec<u16>, until: Timestamp) -> Swept {
    let pages: Vec<Swept> = stream::iter(shards)
        .map(|shard| sweep_page(context, group, shard, until))
        .buffer_unordered(AT_ONCE)
        .collect()
        .await;
    let mut swept = Swept { seen: Some(Vec::new()), ..Swept::default() };
    for page in pages {
        swept.enqueued.extend(page.enqueued);
        swept.unfinished.extend(page.unfinished);
        swept.failed = swept.failed.or(page.failed);
        swept.seen = swept.seen.zip(page.seen).map(|(mut seen, page)| {
            seen.extend(page);
            seen
        });
    }
    swept
}

/// Claims and enqueues one page of a partition, until the time is up. A message is sent for every claimed item, because
/// a claim without a message would only delay the item.
async fn sweep_page(context: &Context, group: DueGroup, shard: u16, until: Timestamp) -> Swept {
    let now = context.now();
    if now >= until {
        return Swept::default();
    }
    let seen = match context.store.unfinished(group, shard, now).await {
        Ok(unfinished) => unfinished,
        Err(error) => return Swept { failed: Some(error.into()), ..Swept::default() },
    };
    let overdue: Vec<Unfinished> = seen.iter().filter(|item| item.is_overdue(now)).cloned().collect();
    let full = overdue.len() == usize::from(SWEEP_MAX);
    let claims: Vec<Result<Option<Claim>, StoreError>> = stream::iter(overdue)
        .map(|overdue| async move {
            if context.now() >= until {
                return Ok(None);
            }
            context.store.claim(overdue, now, context.claim_s).await
        })
        .buffer_unordered(AT_ONCE)
        .collect()
        .await;
    let mut messages = Vec::with_capacity(claims.len());
    let mut failed = None;
    for claim in claims {
        match claim {
            Ok(claim) => messages.extend(claim.map(|claim| message(context, claim))),
            Err(error) => failed = failed.or(Some(error.into())),
        }
    }
    let unsent = context.queues.send(&messages).await;
    let sent = |index: &usize| unsent.iter().all(|(missing, _)| missing != index);
    let enqueued: Vec<WorkItem> =
        messages.into_iter().enumerate().filter(|(index, _)| sent(index)).map(|(_, message)| message.item).collect();
    context.metrics.add_all(Metric::DueEnqueued, enqueued.len());
    // An item whose message was not sent is overdue again when its claim ends.
    failed = failed.or(unsent.into_iter().next().map(|(_, error)| error));
    // After a failure, the partition is not swept again now, because the index may still show the same items.
    let unfinished = if full && failed.is_none() { vec![shard] } else { Vec::new() };
    Swept { enqueued, failed, unfinished, seen: Some(seen) }
}

/// The message for a claimed item. A stuck item is logged and counted.
fn message(context: &Context, Claim { overdue, claims }: Claim) -> Outgoing {
    if claims >= STUCK_CLAIMS {
        context.metrics.add(Metric::DueOverdue, 1);
        tracing::warn!(target: "spillway", pk = %overdue.item.key().pk, sk = %overdue.item.key().sk, claims, "overdue");
    }
    Outgoing { item: overdue.item, delay_s: 0 }
}
