//! Reading what is overdue, and claiming and enqueuing it.

use std::mem::take;
use std::sync::Arc;
use std::time::Duration;

use futures::future::join_all;
use futures::stream::{self, StreamExt as _};
use spillway_domain::time::Timestamp;
use spillway_runtime::Metric;
use spillway_store::{Claim, DueGroup, StoreError, Unfinished, WorkItem};
use spillway_work::{Outgoing, WorkError};
use tokio::sync::Mutex;
use tokio::task::JoinSet;
use tracing::Instrument as _;

use crate::turns::Turns;
use crate::{Context, READS_AT_ONCE};

/// Items that a sweep reads of each partition at first. The gauges count them.
const PAGE: u16 = 200;
/// Overdue items that it reads of a partition whose first page is full of them. The merchants take turns among these:
/// 64 partitions show 128,000 items of a group, so that the dead deliveries of one merchant do not hide another's.
const PAGE_MAX: u16 = 2000;
/// Tasks that claim and send at the same time.
const TASKS: usize = 32;
/// Items that a task claims at the same time. Their messages fit into one call of SQS.
const CHUNK: usize = 10;
/// An item with this many claims or more is stuck: so many claims point to a fault.
const STUCK_CLAIMS: u32 = 3;

/// The beginning of one partition of the index.
#[derive(Debug)]
pub struct Page {
    pub group: DueGroup,
    shard: u16,
    /// The items that are due first, overdue or not. None if the page was not read.
    pub items: Option<Vec<Unfinished>>,
    /// Whether all items are overdue and more may follow.
    is_full: bool,
}

/// The result of a sweep.
#[derive(Debug, Default)]
pub struct Swept {
    pub enqueued: Vec<WorkItem>,
    /// The first error. Throttled claims are none: the sweep slows down, and the items stay due.
    pub failed: Option<WorkError>,
    /// Whether claims were throttled.
    is_throttled: bool,
    /// Whether a queue did not take a message.
    is_unsent: bool,
}

/// The first page of every partition, and the first error.
pub async fn first_pages(context: &Context, now: Timestamp) -> (Vec<Page>, Option<WorkError>) {
    let partitions = DueGroup::ALL.into_iter().flat_map(|group| (0..group.shards()).map(move |shard| (group, shard)));
    read(context, partitions.collect(), PAGE, now).await
}

/// Claims and enqueues the overdue items of these pages and of what follows them. From `until` on, no read begins, and no
/// claim but those of the chunk that waits for the pace then. It ends earlier if a pass over the pages enqueues nothing.
pub async fn run(context: &Arc<Context>, mut pages: Vec<Page>, until: Timestamp) -> Swept {
    let mut swept = Swept::default();
    loop {
        let now = context.now();
        let full = pages.iter().filter(|page| page.is_full).map(|page| (page.group, page.shard)).collect();
        pages.retain(|page| !page.is_full);
        let (longer, failed) = if now < until { read(context, full, PAGE_MAX, now).await } else { Default::default() };
        pages.extend(longer);
        let groups = DueGroup::ALL.map(|group| {
            let items = pages.iter_mut().filter(|page| page.group == group).filter_map(|page| page.items.take());
            items.flatten().filter(|item| item.is_overdue(now)).collect()
        });
        let turns = Turns::of(groups.into(), |item| item.item.tenant().merchant.as_str(), Unfinished::due_at);
        let pass = claim_all(context, turns, until).await;
        let has_enqueued = !pass.enqueued.is_empty();
        swept.enqueued.extend(pass.enqueued);
        swept.failed = swept.failed.or(failed).or(pass.failed);
        // Throttled items are still due.
        pages.retain(|page| page.is_full || pass.is_throttled);
        if pages.is_empty() || !has_enqueued || context.now() >= until {
            return swept;
        }
        let partitions = pages.iter().map(|page| (page.group, page.shard)).collect();
        let (next, failed) = read(context, partitions, PAGE, context.now()).await;
        swept.failed = swept.failed.or(failed);
        pages = next;
    }
}

/// The first `count` items of each of these partitions, and the first error.
async fn read(
    context: &Context, partitions: Vec<(DueGroup, u16)>, count: u16, now: Timestamp,
) -> (Vec<Page>, Option<WorkError>) {
    let reads = stream::iter(partitions).map(|(group, shard)| async move {
        let items = context.store.unfinished(group, shard, count, now).await;
        (group, shard, items)
    });
    let read: Vec<_> = reads.buffer_unordered(READS_AT_ONCE).collect().await;
    let mut failed = None;
    let pages = read.into_iter().map(|(group, shard, items)| {
        let items = items.map_err(|error| failed.get_or_insert(error.into())).ok();
        let last = items.as_ref().and_then(|items: &Vec<Unfinished>| items.get(usize::from(count) - 1));
        Page { group, shard, is_full: last.is_some_and(|last| last.is_overdue(now)), items }
    });
    (pages.collect(), failed)
}

/// Claims and enqueues all these items until the time is up, in several tasks, which all cores share.
async fn claim_all(context: &Arc<Context>, turns: Turns<Unfinished>, until: Timestamp) -> Swept {
    let turns = Arc::new(Mutex::new(turns));
    let mut tasks = JoinSet::new();
    for _ in 0..TASKS {
        let (context, turns) = (context.clone(), turns.clone());
        // Boxed, because the SDK's futures nest too deeply for the compiler.
        tasks.spawn(Box::pin(async move { claim_in_turn(&context, &turns, until).await }.in_current_span()));
    }
    let mut swept = Swept::default();
    while let Some(done) = tasks.join_next().await {
        let done = done.unwrap_or_else(|_| Swept { failed: Some(WorkError::Panicked), ..Swept::default() });
        swept.add(done);
    }
    swept
}

/// Claims and enqueues one chunk after the other. It ends at the first message that a queue does not take, because further
/// claims would only delay their items.
async fn claim_in_turn(context: &Context, turns: &Mutex<Turns<Unfinished>>, until: Timestamp) -> Swept {
    let mut swept = Swept::default();
    loop {
        // The task whose turn it is waits for the pace, and the others wait for the task: no time is reserved ahead.
        let mut in_turn = turns.lock().await;
        let chunk = if context.now() < until { in_turn.take(CHUNK) } else { Vec::new() };
        if chunk.is_empty() {
            return swept;
        }
        let wait_us = context.pace.wait_us(chunk.len(), context.now().millis() * 1000);
        if wait_us > 0 {
            context.sleep(Duration::from_micros(wait_us.unsigned_abs())).await;
        }
        drop(in_turn);
        let claimed = claim(context, chunk, context.now()).await;
        swept.add(claimed);
        if swept.is_unsent {
            return swept;
        }
    }
}

/// Claims and enqueues these items. A message is sent for every claimed item, because a claim without a message would
/// only delay the item.
async fn claim(context: &Context, overdue: Vec<Unfinished>, now: Timestamp) -> Swept {
    let mut swept = Swept::default();
    let claims = overdue.into_iter().map(|overdue| context.store.claim(overdue, now, context.claim_s));
    let mut messages = Vec::with_capacity(CHUNK);
    for claim in join_all(claims).await {
        match claim {
            Ok(claim) => messages.extend(claim.map(|claim| message(context, claim))),
            Err(error) => {
                if matches!(error, StoreError::Unavailable(_)) {
                    context.pace.refused(context.now().millis() * 1000);
                }
                if error.is_throttling() {
                    swept.is_throttled = true;
                } else {
                    swept.failed = swept.failed.or(Some(error.into()));
                }
            }
        }
    }
    let mut unsent = context.queues.send(&messages).await.into_iter().peekable();
    // An item whose message was not sent is overdue again when its claim ends.
    for (index, Outgoing { item, .. }) in messages.into_iter().enumerate() {
        match unsent.next_if(|(missing, _)| *missing == index) {
            Some((_, error)) => {
                swept.is_unsent = true;
                swept.failed = take(&mut swept.failed).or(Some(error));
            }
            None => swept.enqueued.push(item),
        }
    }
    context.metrics.add_all(Metric::DueEnqueued, swept.enqueued.len());
    swept
}

/// The message for a claimed item. A stuck item is logged and counted.
fn message(context: &Context, Claim { overdue, claims }: Claim) -> Outgoing {
    if claims >= STUCK_CLAIMS {
        context.metrics.add(Metric::DueOverdue, 1);
        tracing::warn!(target: "spillway", pk = %overdue.item.key().pk, sk = %overdue.item.key().sk, claims, "overdue");
    }
    Outgoing { item: overdue.item, delay_s: 0 }
}

impl Swept {
    fn add(&mut self, other: Swept) {
        self.enqueued.extend(other.enqueued);
        self.failed = take(&mut self.failed).or(other.failed);
        self.is_throttled |= other.is_throttled;
        self.is_unsent |= other.is_unsent;
    }
}
