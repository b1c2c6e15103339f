//! The work on a resource with an operation at a card processor: load, call or look up, conclude, commit.

use std::future::Future;
use std::time::Instant;

use spillway_domain::change::Change;
use spillway_domain::event::EventType;
use spillway_domain::fee::Terms;
use spillway_domain::operation::{
    Answer, Conclusion, Consequence, Ending, HasOperation, Operation, Progress, Step, Verb,
};
use spillway_runtime::Metric;
use spillway_store::{Committed, WorkItem};
use spillway_wire::view::Shown;
use spillway_work::{Outcome, Outgoing, WorkError};

use crate::Context;

/// The most tries to commit one conclusion while other requests change the resource.
const TRIES_MAX: u32 = 8;

/// Calls the processor, or looks the operation up, if the resource needs it now, and commits the result.
pub async fn advance<T: HasOperation + Shown>(context: &Context, item: &WorkItem) -> Result<Outcome, WorkError> {
    let id = item.id::<T::Kind>().ok_or(WorkError::UnknownKey)?;
    let Some(read) = context.store.resource::<T>(item.tenant(), &id).await? else {
        tracing::warn!(target: "spillway", %id, "a message names a {} that does not exist", T::NAME);
        return Ok(Outcome::new("not found"));
    };
    let (request_id, trace) = (read.meta().request_id.clone(), read.meta().trace.clone());
    let outcome = finish_operation(context, item, read).await;
    outcome.map(|outcome| outcome.caused_by(&request_id).traced(trace.as_ref()))
}

async fn finish_operation<T: HasOperation + Shown>(
    context: &Context, item: &WorkItem, mut read: T,
) -> Result<Outcome, WorkError> {
    let (Some(operation), Some(mut progress)) = (read.operation(), read.progress().cloned()) else {
        return Ok(Outcome::new("no operation is open"));
    };
    let Some(concluded) = conclude(context, &operation, &progress).await else {
        return Ok(Outcome::new("too early for the next step"));
    };
    let Concluded { mut conclusion, is_unanswered } = concluded;
    let terms = match &conclusion {
        Conclusion::Ended(Ending::Done(_)) if operation.verb.rules().is_priced => {
            Some(terms(context, &operation).await?)
        }
        _ => None,
    };
    for _ in 0..TRIES_MAX {
        let change = next(context, &read, &conclusion, terms.as_ref())?;
        if context.store.change(&change).await? == Committed::Done {
            count(context, &change, is_unanswered);
            if let Conclusion::Continue(next) = &conclusion {
                send_again(context, item, next).await;
            }
            return Ok(outcome_of(&progress, &conclusion, &change, context));
        }
        // The resource was changed since it was read. This applies the processor's answer to the resource as it is now.
        // The processor is not called again.
        let changed = context.store.resource::<T>(item.tenant(), &read.meta().id).await?;
        let carried_over = changed.and_then(|changed| {
            let now = changed.progress()?.clone();
            Some((conclusion.carried_over(&progress, &now)?, now, changed))
        });
        match carried_over {
            Some(carried_over) => (conclusion, progress, read) = carried_over,
            // The other copy may have settled the operation, or have stored that there was no answer.
            None => return Ok(Outcome::new("another copy of the message was faster, and its result counts")),
        }
    }
    Err(WorkError::Refused(format!("{item} changed during every one of {TRIES_MAX} commits")))
}

/// The change of the resource that follows from the conclusion.
fn next<T: HasOperation>(
    context: &Context, read: &T, conclusion: &Conclusion, terms: Option<&Terms>,
) -> Result<Change<T>, WorkError> {
    match conclusion {
        Conclusion::Ended(ending) => {
            let change = read.settle(ending.clone(), terms, context.now(), &context.unknown_outcome);
            change.map_err(|error| WorkError::Refused(error.to_string()))
        }
        Conclusion::Continue(next) => Ok(read.progressed(next.clone())),
    }
}

/// A conclusion that is not stored yet.
struct Concluded {
    conclusion: Conclusion,
    /// Whether the last answer left the outcome unknown.
    is_unanswered: bool,
}

/// Calls the processor or looks the operation up until a conclusion can be stored. None if it is too early for a step.
///
/// Two things are logged and counted here, before the commit: a call that is made again because the processor has lost
/// the operation, and an undo. If the commit fails, the next message may not see them again: its look-up finds the
/// operation done, or finds that the undone charge is gone. Then no alarm would rise.
async fn conclude(context: &Context, operation: &Operation, progress: &Progress) -> Option<Concluded> {
    let (policy, reference, verb) = (&context.unknown_outcome, &operation.reference, operation.verb);
    let mut step = progress.next_step(context.now(), policy)?;
    loop {
        let answer = match step {
            Step::Call => timed(context, context.processors.call(operation)).await,
            Step::LookUp => timed(context, context.processors.look_up(operation)).await,
        };
        let is_unanswered = answer == Answer::Unknown;
        let spread = context.random_between(0, 1000);
        match progress.consequence(step, answer, context.now(), policy, spread) {
            Consequence::CallNow => {
                if !verb.rules().looks_first {
                    tracing::error!(target: "spillway", %reference, %verb, "the processor has lost it, and is called again");
                    context.metrics.add(Metric::OperationsCalledAgain, 1);
                }
                step = Step::Call;
            }
            Consequence::Store(conclusion) => {
                if verb == Verb::Undo && matches!(conclusion, Conclusion::Ended(Ending::Done(_))) {
                    tracing::error!(target: "spillway", %reference, "a charge appeared after its payment failed, and was undone");
                    context.metrics.add(Metric::LateChargesUndone, 1);
                }
                return Some(Concluded { conclusion, is_unanswered });
            }
        }
    }
}

/// Waits for a call of the processor, and measures its duration.
async fn timed<T>(context: &Context, call: impl Future<Output = T>) -> T {
    let (began, metered) = (Instant::now(), context.meter.calls_processor());
    let answer = call.await;
    drop(metered);
    context.metrics.took(Metric::ProcessorLatency, began.elapsed());
    answer
}

/// The merchant's terms for the operation's currency. If the cached merchant lacks the currency, the merchant is read
/// again, because the cached copy may be older than the currency. Errors if the merchant has no price for the currency:
/// then nothing is posted, and the message comes again.
async fn terms(context: &Context, operation: &Operation) -> Result<Terms, WorkError> {
    let (id, currency) = (&operation.tenant.merchant, operation.currency);
    if let Some(terms) = context.merchants.get(id).await?.and_then(|merchant| merchant.terms(currency)) {
        return Ok(terms);
    }
    let terms = context.merchants.now(id).await?.and_then(|merchant| merchant.terms(currency));
    terms.ok_or_else(|| WorkError::NoPrice(id.clone(), currency))
}

/// Counts what is stored: an unknown outcome, and payments that succeeded or failed.
fn count<T: HasOperation>(context: &Context, change: &Change<T>, is_unanswered: bool) {
    context.metrics.add(Metric::OutcomesUnknown, u64::from(is_unanswered));
    for event in &change.events {
        match event.event_type {
            EventType::PaymentSucceeded => context.metrics.add(Metric::PaymentsSucceeded, 1),
            EventType::PaymentFailed => context.metrics.add(Metric::PaymentsFailed, 1),
            _ => {}
        }
    }
}

/// The result for the log: the outcome, and the ids of the journal entries and events.
fn outcome_of<T: HasOperation>(
    progress: &Progress, conclusion: &Conclusion, change: &Change<T>, context: &Context,
) -> Outcome {
    let outcome = match conclusion {
        Conclusion::Ended(Ending::Done(_)) if progress.verb == Verb::Undo => "undone".to_owned(),
        Conclusion::Ended(Ending::Done(_)) => change.after.status().to_string(),
        Conclusion::Ended(Ending::Refused(failure)) => format!("declined {}", failure.code),
        Conclusion::Ended(Ending::NeverDone) => "never done".to_owned(),
        Conclusion::Continue(Progress { next_at: None, .. }) => {
            "charged after the payment had failed, to be undone".to_owned()
        }
        Conclusion::Continue(next) => {
            let is_first_absence = next.absent_since.is_some() && progress.absent_since.is_none();
            let answer = if is_first_absence { "nothing found" } else { "outcome unknown" };
            format!("{answer}, again in {} s", wait_s(context, next))
        }
    };
    let entries = change.entries.iter().map(|(entry, _)| entry.id.to_string());
    entries.chain(change.events.iter().map(|event| event.id.to_string())).fold(Outcome::new(outcome), Outcome::with)
}

/// Seconds until the next step, rounded up.
fn wait_s(context: &Context, next: &Progress) -> u32 {
    let now = context.now();
    let wait_ms = next.next_at.unwrap_or(now).since(now).max(0);
    u32::try_from(wait_ms.saturating_add(999) / 1000).unwrap_or(u32::MAX)
}

/// Sends the message for the next step, if the step is soon enough. The item has a due time, so losing the message only
/// delays the step.
async fn send_again(context: &Context, item: &WorkItem, next: &Progress) {
    let delay_s = wait_s(context, next);
    if delay_s <= Outgoing::DELAY_S_MAX {
        let again = Outgoing { item: item.clone(), delay_s };
        if let Some((_, error)) = context.queues.send(&[again]).await.pop() {
            // The item's due time brings it back.
            tracing::warn!(target: "spillway", subject = %item, %error, "the message of the next step was not sent");
        }
    }
}
