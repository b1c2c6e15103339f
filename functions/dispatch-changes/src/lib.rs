//! The consumer of the table's stream. It sends a message for each changed item that needs work. It writes nothing to
//! the table.

use std::collections::HashSet;
use std::sync::Arc;

use spillway_runtime::{SettingError, Start};
use spillway_store::{QueueName, WorkItem, WorkKind};
use spillway_work::{Outgoing, Queues, StreamChange, WorkError};

/// The queues, and the seconds for which movements are collected before a fold.
pub struct Parts {
    queues: Queues,
    fold_delay_s: u32,
}

impl spillway_runtime::Parts for Parts {
    fn new(start: &Start<'_>) -> Result<Parts, SettingError> {
        let queues = Queues::new(start, &QueueName::ALL)?;
        Ok(Parts { queues, fold_delay_s: start.environment.number("FOLD_DELAY_SECONDS")? })
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
        if change.brings_message() && found.insert(item.clone()) {
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
