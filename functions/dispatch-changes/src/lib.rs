//! The consumer of the table's stream. It sends a message for each changed item that needs work. It writes nothing to
//! the table.

use std::collections::HashSet;
use std::sync::Arc;

use spillway_domain::id::shard_of;
use spillway_runtime::{SettingError, Start};
use spillway_store::{QueueName, WorkItem, WorkKind};
use spillway_work::{Outgoing, Queues, StreamChange, WorkError};

/// The queues, and how movements are collected before a fold.
pub struct Parts {
    queues: Queues,
    /// Seconds that a fold waits for more movements.
    fold_delay_s: u32,
    /// One of this many movements brings a fold.
    fold_one_of: u16,
}

impl spillway_runtime::Parts for Parts {
    fn new(start: &Start<'_>) -> Result<Parts, SettingError> {
        let queues = Queues::new(start, &QueueName::ALL)?;
        let environment = &start.environment;
        Ok(Parts {
            queues,
            fold_delay_s: environment.number("FOLD_DELAY_SECONDS")?,
            // The template allows at most 1,000.
            fold_one_of: u16::try_from(environment.number("FOLD_ONE_OF")?).unwrap_or(u16::MAX),
        })
    }
}

type Context = spillway_runtime::Context<Parts>;

/// Sends one message for each item that needs work. Errors with the index of the first change that can't be read or
/// sent. That change and all changes behind it come again.
pub async fn handle(context: Arc<Context>, changes: Vec<StreamChange>) -> Result<(), (usize, WorkError)> {
    let mut found: HashSet<WorkItem> = HashSet::new();
    let mut messages = Vec::new();
    let mut unreadable = None;
    for (index, change) in changes.iter().enumerate() {
        let Some(item) = change.item() else {
            unreadable = Some((index, WorkError::UnknownKey));
            break;
        };
        // The stream's event filter in the template can only test that the item has a counter `wake`, not that it
        // changed. So every change of an item with this counter arrives here. `brings_message` checks that the counter
        // has changed.
        let awaited = change.brings_message() && !is_left_to_others(&context, change, item.kind);
        if awaited && found.insert(item.clone()) {
            let delay_s = delay_s(&context, item.kind);
            messages.push((index, Outgoing { item, delay_s }));
        }
    }
    let (indices, messages): (Vec<usize>, Vec<Outgoing>) = messages.into_iter().unzip();
    let unsent = context.queues.send(&messages).await.into_iter().next();
    let unsent = unsent.map(|(message, error)| (indices.get(message).copied().unwrap_or_default(), error));
    match unsent.or(unreadable) {
        None => Ok(()),
        Some(failed) => Err(failed),
    }
}

/// Whether a change is a movement whose fold another movement brings. A fold takes all movements of its part, and readers
/// add up the movements that no fold has taken yet. So a message for each movement would only cost more.
fn is_left_to_others(context: &Context, change: &StreamChange, kind: WorkKind) -> bool {
    kind == WorkKind::Balance && shard_of(&change.key.sk, context.fold_one_of) != 0
}

/// Seconds until a message of this kind can be received.
fn delay_s(context: &Context, kind: WorkKind) -> u32 {
    match kind {
        // Movements are collected, so that folds are few and large.
        WorkKind::Balance => context.fold_delay_s,
        // The wait gives the index `listing` time to show deliveries that were put off just now.
        WorkKind::WebhookEndpoint => 1,
        _ => 0,
    }
}
