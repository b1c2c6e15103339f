//! The stream trigger, Lambda's event source mapping for the table's change stream.
//!
//! The table has one shard. It is read in order: the next batch is sent after the one before has succeeded or was given
//! up.

mod batch;
mod changes;
mod checkpoint;
mod event;
mod filter;
#[cfg(test)]
mod tests;

use std::collections::VecDeque;
use std::path::PathBuf;
use std::time::Duration;

use tokio::time::Instant;

pub use changes::Changes;
pub use filter::FilterError;

use self::batch::{Batch, Step, StepOutcome};
use self::changes::Change;
use self::checkpoint::Checkpoint;
use self::event::Source;
use self::filter::Filters;
use crate::clock::Clock;
use crate::invoke::Functions;
use crate::log::Log;
use crate::partial_answer;
use crate::queue::{NewMessage, QueueError, Queues};
use crate::template::StreamTrigger;

/// How often the trigger looks for commits in the table's file.
const LOOK_EVERY: Duration = Duration::from_millis(5);

/// The same after some seconds without commits: an idle stack must not use the processor.
const LOOK_EVERY_IDLE: Duration = Duration::from_millis(20);
const IDLE_AFTER: Duration = Duration::from_secs(2);

/// Records read at once.
const READ_MAX: usize = 250;

/// Why the trigger cannot run.
#[derive(Debug, thiserror::Error)]
pub enum StreamError {
    #[error(transparent)]
    Filter(#[from] FilterError),
    #[error(transparent)]
    Queue(#[from] QueueError),
    #[error("the table's stream: {0}")]
    Sqlite(#[from] rusqlite::Error),
    #[error("the stream's checkpoint: {0}")]
    Checkpoint(#[from] std::io::Error),
}

struct Trigger {
    settings: StreamTrigger,
    filters: Filters,
    source: Source,
    changes: Changes,
    checkpoint: Checkpoint,
    /// Name of the queue for batches that were given up.
    failures: Option<String>,
    queues: Queues,
    clock: Clock,
    functions: Functions,
    log: Log,
    /// Records that passed the filters and are not sent yet.
    waiting: VecDeque<Change>,
    /// The last record that was read.
    read_to: i64,
}

/// Invokes the trigger's function with the records of the change stream, until the future is dropped. The position is
/// stored in the file `checkpoint`; without it the trigger starts at the oldest record. A failure of the function is
/// not an error of the trigger.
pub async fn run(
    settings: StreamTrigger, changes: Changes, checkpoint: PathBuf, queues: Queues, clock: Clock, functions: Functions,
    log: Log,
) -> Result<(), StreamError> {
    let failures =
        settings.on_failure.as_ref().map(|logical_id| queues.name_of(logical_id).map(str::to_owned)).transpose()?;
    let checkpoint = Checkpoint::open(checkpoint)?;
    let trigger = Trigger {
        filters: Filters::new(&settings.filters)?,
        source: Source::new(&changes, queues.region())?,
        read_to: checkpoint.get().unwrap_or_default(),
        waiting: VecDeque::new(),
        settings,
        changes,
        checkpoint,
        failures,
        queues,
        clock,
        functions,
        log,
    };
    trigger.run().await
}

impl Trigger {
    async fn run(mut self) -> Result<(), StreamError> {
        loop {
            let records = self.gather().await?;
            if !records.is_empty() {
                self.process(records).await?;
            }
            if self.waiting.is_empty() {
                // Records that no filter passes are done too.
                self.checkpoint.set(self.read_to)?;
            }
        }
    }

    /// Waits until the batch is full or its window has ended.
    async fn gather(&mut self) -> Result<Vec<Change>, StreamError> {
        let mut ends = None;
        loop {
            let version = self.changes.version()?;
            while self.waiting.len() < self.settings.batch_size && self.read()? {}
            let full = self.waiting.len() >= self.settings.batch_size;
            let window = self.settings.batching_window;
            if !self.waiting.is_empty() {
                let ends = *ends.get_or_insert_with(|| Instant::now() + window);
                if full || Instant::now() >= ends {
                    let count = self.waiting.len().min(self.settings.batch_size);
                    return Ok(self.waiting.drain(..count).collect());
                }
            } else if self.checkpoint.get() != Some(self.read_to) {
                return Ok(Vec::new());
            }
            let silent_since = Instant::now();
            while self.changes.version()? == version && ends.is_none_or(|at| Instant::now() < at) {
                let idle = silent_since.elapsed() > IDLE_AFTER;
                tokio::time::sleep(if idle { LOOK_EVERY_IDLE } else { LOOK_EVERY }).await;
            }
        }
    }

    /// Reads further records. Returns whether there were any.
    fn read(&mut self) -> Result<bool, StreamError> {
        let changes = self.changes.after(self.read_to, READ_MAX)?;
        if let Some(last) = changes.last() {
            self.read_to = last.sequence;
        }
        let any = !changes.is_empty();
        let matching = changes.into_iter().filter(|change| self.filters.pass(change));
        self.waiting.extend(matching);
        Ok(any)
    }

    /// Sends the records until each has succeeded or was given up.
    async fn process(&mut self, records: Vec<Change>) -> Result<(), StreamError> {
        let mut batch = Batch::new(records, self.settings.bisect, self.settings.retries, self.settings.max_record_age);
        while let Some(step) = batch.next((self.clock)()) {
            let outcome = match step {
                Step::GiveUp(given_up) => {
                    self.give_up(&given_up)?;
                    StepOutcome::GivenUp
                }
                Step::Send(records) => self.send(records).await,
            };
            let function = &self.settings.function;
            match &outcome {
                StepOutcome::Failed(error) => {
                    self.log.warning(function, &format!("a batch of the stream failed: {error}"))
                }
                StepOutcome::FailedFrom(_) => self.log.warning(function, "a batch of the stream failed in part"),
                StepOutcome::Succeeded | StepOutcome::GivenUp => {}
            }
            let settled = batch.settle(outcome);
            if let Some(sequence) = settled.done_to {
                self.checkpoint.set(sequence)?;
            }
            if !settled.pause.is_zero() {
                tokio::time::sleep(settled.pause).await;
            }
        }
        Ok(())
    }

    async fn send(&mut self, records: &[Change]) -> StepOutcome {
        let event = self.source.event(records);
        let function = &self.settings.function;
        let answer = match self.functions.invoke(function, event.into()).await {
            Ok(answer) => answer,
            Err(error) => return StepOutcome::Failed(error.to_string()),
        };
        if !self.settings.report_item_failures {
            return StepOutcome::Succeeded;
        }
        let place = |id: &str| records.iter().position(|record| record.public_sequence() == id);
        match partial_answer::failures(&answer, |id| place(id).is_some()) {
            // All records from the lowest failure on are sent again, also those that succeeded.
            Ok(failures) => match failures.iter().filter_map(|id| place(id)).min() {
                Some(first) => StepOutcome::FailedFrom(first),
                None => StepOutcome::Succeeded,
            },
            Err(error) => StepOutcome::Failed(error.to_string()),
        }
    }

    fn give_up(&self, given_up: &batch::GivenUp) -> Result<(), StreamError> {
        let told = format!("gave up {} records of the stream: {}", given_up.records.len(), given_up.condition);
        self.log.warning(&self.settings.function, &told);
        let Some(queue) = &self.failures else {
            return Ok(());
        };
        let body = self.source.pointer(given_up, &self.settings.function, (self.clock)());
        let message = NewMessage { body, ..NewMessage::default() };
        self.queues.send(queue, &[message])?;
        Ok(())
    }
}
