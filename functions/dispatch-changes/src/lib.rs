//! The table's stream: forwards what changed to the queues. It writes nothing: the committed item is the message.

use std::collections::HashMap;
use std::sync::Arc;

use spillway_platform::runtime::{self, SettingError, Start};
use spillway_platform::work::{Outgoing, QueueName, Queues, StreamChange, Thing, WorkError};

/// The queues, and how long movements gather before a fold.
pub struct Parts {
    queues: Queues,
    fold_delay_s: u32,
}

impl runtime::Parts for Parts {
    fn new(start: &Start<'_>) -> Result<Parts, SettingError> {
        let queues = Queues::new(start, &QueueName::ALL)?;
        Ok(Parts { queues, fold_delay_s: start.environment.number("FOLD_DELAY_SECONDS")? })
    }
}

type Context = runtime::Context<Parts>;

/// Sends one message for each thing that changed. A change that can't be read or sent ends the batch there: it and
/// those after it come again.
pub async fn handle(context: Arc<Context>, changes: Vec<StreamChange>) -> Result<(), (usize, WorkError)> {
    let mut first_of: HashMap<Thing, usize> = HashMap::new();
    let mut messages = Vec::new();
    let mut unreadable = None;
    for (index, change) in changes.iter().enumerate() {
        let Some(thing) = change.thing() else {
            unreadable = Some((index, WorkError::Unreadable));
            break;
        };
        // One message for each balance and batch, delayed, so that folds are large and few.
        let delay_s = if matches!(thing, Thing::Balance { .. }) { context.fold_delay_s } else { 0 };
        if !first_of.contains_key(&thing) {
            first_of.insert(thing.clone(), index);
            messages.push((index, Outgoing { thing, delay_s }));
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
