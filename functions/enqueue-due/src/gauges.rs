//! The gauges of a sweep: how many items of each due group are unfinished, and how long the oldest has waited. They
//! come from the pages of the index that the sweep reads anyway. Only the age of payments and refunds needs further
//! reads, because their ids have no time.

use futures::stream::{self, StreamExt as _, TryStreamExt as _};
use spillway_domain::id::EventId;
use spillway_domain::time::Timestamp;
use spillway_runtime::Metric;
use spillway_store::{DueGroup, StoreError, Unfinished, WorkItem, WorkKind};

use crate::{Context, READS_AT_ONCE};

/// The most payments and refunds that are read to find the oldest.
const READS_MAX: usize = 100;

/// Sets the gauges of a due group. `seen`: the first page of each of its partitions.
pub async fn set(context: &Context, group: DueGroup, seen: Vec<Unfinished>, now: Timestamp) -> Result<(), StoreError> {
    let (number, oldest) = match group {
        DueGroup::Money => (Metric::OperationsUnfinished, Metric::OldestOperation),
        DueGroup::Events => (Metric::EventsUndelivered, Metric::OldestEvent),
        DueGroup::Deliveries => (Metric::DeliveriesWaiting, Metric::OldestDelivery),
    };
    let is_gauged = |unfinished: &Unfinished| unfinished.item.kind != WorkKind::Balance;
    let seen: Vec<Unfinished> = seen.into_iter().filter(is_gauged).collect();
    context.metrics.set(number, u64::try_from(seen.len()).unwrap_or(u64::MAX));
    let since = match group {
        DueGroup::Money => oldest_operation(context, seen, now).await?,
        DueGroup::Events | DueGroup::Deliveries => {
            seen.iter().filter_map(|unfinished| unfinished.item.event()).map(|event: EventId| event.time()).min()
        }
    };
    let age_ms = since.map_or(0, |since| now.since(since));
    context.metrics.set(oldest, u64::try_from(age_ms / 1000).unwrap_or_default());
    Ok(())
}

/// The time since which the oldest payment or refund waits for the processor. If there are more than [`READS_MAX`],
/// those with the most claims are read, and of these the first due.
async fn oldest_operation(
    context: &Context, seen: Vec<Unfinished>, now: Timestamp,
) -> Result<Option<Timestamp>, StoreError> {
    let mut waiting: Vec<Unfinished> = seen.into_iter().filter(|it| !is_under_way(context, it, now)).collect();
    waiting.sort_by(|one, other| other.claims().cmp(&one.claims()).then_with(|| one.due_at().cmp(other.due_at())));
    let items: Vec<WorkItem> = waiting.into_iter().take(READS_MAX).map(|unfinished| unfinished.item).collect();
    let since = stream::iter(&items).map(|item| context.store.waiting_since(item)).buffer_unordered(READS_AT_ONCE);
    Ok(since.try_collect::<Vec<_>>().await?.into_iter().flatten().min())
}

/// Whether the item's first message is still on its way: its due time is at most `FIRST_DUE_SECONDS` ahead, and no
/// sweep has claimed it.
fn is_under_way(context: &Context, unfinished: &Unfinished, now: Timestamp) -> bool {
    let soon = now.plus_seconds(context.first_due_s);
    unfinished.claims() == 0 && !unfinished.is_overdue(now) && unfinished.is_overdue(soon)
}
