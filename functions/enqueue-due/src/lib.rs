//! The sweep. Each minute it enqueues overdue items again, so that a lost message delays work but does not lose it. It
//! also sets the gauges of unfinished work.

mod gauges;
mod pace;
mod sweep;
mod turns;

use std::sync::Arc;

use spillway_lambda::Invocation;
use spillway_runtime::{SettingError, Start};
use spillway_store::{DueGroup, QueueName, Store, WorkItem};
use spillway_work::{Queues, WorkError};

use pace::Pace;

/// Reads that are made at the same time.
const READS_AT_ONCE: usize = 32;
/// Milliseconds that remain of the invocation when the sweep ends.
const RESERVE_MS: i64 = 10_000;

/// The store, the queues, and the settings of claims.
pub struct Parts {
    store: Store,
    queues: Queues,
    /// `SWEEP_RATE`: the most claims per second.
    pace: Pace,
    /// `CLAIM_SECONDS`: seconds until a claimed item is overdue again. They double with each claim.
    claim_s: u32,
    /// `FIRST_DUE_SECONDS`: seconds from the time when an item's next step is planned to its due time.
    first_due_s: u32,
}

impl spillway_runtime::Parts for Parts {
    fn new(start: &Start<'_>) -> Result<Parts, SettingError> {
        Ok(Parts {
            store: Store::of_sweep(start)?,
            queues: Queues::new(start, &QueueName::ALL)?,
            pace: Pace::new(start.environment.number("SWEEP_RATE")?),
            claim_s: start.environment.number("CLAIM_SECONDS")?,
            first_due_s: start.environment.number("FIRST_DUE_SECONDS")?,
        })
    }
}

type Context = spillway_runtime::Context<Parts>;

/// Reads the beginning of every partition, sets the gauges, and claims and enqueues what is overdue until nothing is or
/// the time is up. Returns the enqueued items, and a text with the count of each group, or the first error.
pub async fn handle(context: Arc<Context>, invocation: Invocation) -> (Vec<WorkItem>, Result<String, WorkError>) {
    let now = context.now();
    let until = invocation.deadline.plus_millis(-RESERVE_MS);
    let (pages, mut failed) = sweep::first_pages(&context, now).await;
    for group in DueGroup::ALL {
        // If a page is missing, no gauge is set, because the count would be too low.
        let seen: Option<Vec<_>> =
            pages.iter().filter(|page| page.group == group).map(|page| page.items.clone()).collect();
        if let Some(seen) = seen
            && let Err(error) = gauges::set(&context, group, seen.concat(), now).await
        {
            failed = failed.or(Some(error.into()));
        }
    }
    let swept = sweep::run(&context, pages, until).await;
    let counts = DueGroup::ALL.map(|group| {
        let enqueued = swept.enqueued.iter().filter(|item| item.due_group() == Some(group)).count();
        format!("{enqueued} {}", group.as_str())
    });
    let enqueued = format!("enqueued {}", counts.join(", "));
    (swept.enqueued, failed.or(swept.failed).map_or(Ok(enqueued), Err))
}
