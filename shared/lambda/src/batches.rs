//! The batches of one invocation: the one that Lambda sent, and further ones that the invocation takes from the queue
//! itself while its work only waits. So a batch with a slow message does not keep the process from other messages.

use std::pin::pin;
use std::time::Duration;

use futures::StreamExt as _;
use futures::future::{Either, select};
use futures::stream::FuturesUnordered;
use spillway_domain::time::Timestamp;
use spillway_runtime::{Context, Metric, Parts};
use spillway_store::WorkItem;
use spillway_work::{Batch, BatchResponse, Fault, HasQueues, Outcome, Subject, WorkError, back_off};

/// The time after which an invocation that only waits looks for further messages.
const LOOK_EVERY: Duration = Duration::from_millis(200);
/// The most batches of an invocation at the same time. It bounds the memory.
const BATCHES_MAX: usize = 10;

/// What the invocation did.
#[derive(Debug, Default)]
pub(super) struct Worked {
    /// The response to the batch that Lambda sent.
    pub(super) response: BatchResponse,
    /// The subjects of all batches.
    pub(super) subjects: Vec<Subject>,
    /// The number of messages of all batches.
    pub(super) messages: usize,
    /// The number of messages that failed.
    pub(super) failed: usize,
}

/// Works on a batch, and takes further ones as long as the function has room for them, at most until the `deadline` of
/// the invocation.
pub(super) async fn work<P, D, F, Fut>(context: &Context<P>, deadline: Timestamp, batch: Batch, work: F) -> Worked
where
    P: Parts + HasQueues,
    D: Into<Vec<Outcome>>,
    F: Fn(Vec<WorkItem>) -> Fut,
    Fut: Future<Output = std::thread::Result<Vec<Result<D, WorkError>>>>,
{
    let mut all = Worked::default();
    let mut running = FuturesUnordered::new();
    running.push(one(context, Some(batch), &work));
    loop {
        match select(running.next(), pin!(context.sleep(LOOK_EVERY))).await {
            Either::Left((None, _)) => return all,
            Either::Left((Some((done, response)), _)) => {
                let more_may_wait = response.is_none() && done.messages > 0;
                all.response = response.unwrap_or(all.response);
                all.subjects.extend(done.subjects);
                all.messages += done.messages;
                all.failed += done.failed;
                if !more_may_wait {
                    continue;
                }
            }
            Either::Right(_) => {}
        }
        if running.len() < BATCHES_MAX && context.has_room(deadline, context.now()) {
            running.push(one(context, None, &work));
        }
    }
}

/// Works on the batch that Lambda sent, or takes one. Returns the response only for the batch that Lambda sent.
async fn one<P, D, F, Fut>(context: &Context<P>, sent: Option<Batch>, work: &F) -> (Worked, Option<BatchResponse>)
where
    P: Parts + HasQueues,
    D: Into<Vec<Outcome>>,
    F: Fn(Vec<WorkItem>) -> Fut,
    Fut: Future<Output = std::thread::Result<Vec<Result<D, WorkError>>>>,
{
    let is_taken = sent.is_none();
    let taken = match sent {
        Some(batch) => Ok(batch),
        None => context.take_more().await,
    };
    let batch = taken.unwrap_or_else(|error| {
        tracing::warn!(%error, "no further messages were taken");
        Batch::default()
    });
    // A panic outside the work on a single item fails all messages. They come again.
    let results = work(batch.items()).await.unwrap_or_default();
    let results: Vec<_> = results.into_iter().map(|result| result.map(Into::into)).collect();
    let (response, faults) = batch.response(&results);
    for fault in &faults {
        tracing::warn!(subject = %fault.subject, error = %fault.error, "message failed");
    }
    context.metrics.add_all(Metric::WorkFailed, faults.len());
    if is_taken {
        delete_done(context, &batch, &faults).await;
    }
    back_off(context, &faults).await;
    let worked =
        Worked { subjects: batch.subjects(&results), messages: batch.len(), failed: faults.len(), ..Worked::default() };
    (worked, (!is_taken).then_some(response))
}

/// Deletes the taken messages that did not fail. For the batch that it sent, Lambda does this.
async fn delete_done<P: HasQueues>(context: &Context<P>, batch: &Batch, faults: &[Fault]) {
    if let Err(error) = context.delete(&batch.done(faults)).await {
        // The messages come again. Their work is done, so they do no harm.
        tracing::warn!(%error, "messages that were taken are not deleted");
    }
}
