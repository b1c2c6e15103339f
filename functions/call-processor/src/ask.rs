//! The work on a resource with an operation at a card processor: load, ask, conclude, commit.

use std::future::Future;
use std::time::Instant;

use spillway_domain::change::Change;
use spillway_domain::event::EventType;
use spillway_domain::fee::Terms;
use spillway_domain::operation::{Answer, Ask, Asking, Asks, Conclusion, Ending, Operation, Verb};
use spillway_runtime::Metric;
use spillway_store::{Committed, WorkItem};
use spillway_wire::view::Shown;
use spillway_work::{Outcome, Outgoing, WorkError};

use crate::Context;

/// Commits of one outcome when concurrent requests change the resource.
const TRIES_MAX: u32 = 8;

/// Calls the processor, or looks the operation up, if the resource needs it now, and commits the result.
pub async fn ask<T: Asks + Shown>(context: &Context, item: &WorkItem) -> Result<Outcome, WorkError> {
    let id = item.id::<T::Kind>().ok_or(WorkError::UnknownKey)?;
    let Some(read) = context.store.resource::<T>(item.tenant(), &id).await? else {
        tracing::warn!(target: "spillway", %id, "a message names a {} that does not exist", T::NAME);
        return Ok(Outcome::new("not found"));
    };
    let request_id = read.meta().request_id.clone();
    finish_operation(context, item, read).await.map(|outcome| outcome.caused_by(&request_id))
}

async fn finish_operation<T: Asks + Shown>(
    context: &Context, item: &WorkItem, mut read: T,
) -> Result<Outcome, WorkError> {
    let (Some(operation), Some(mut asking)) = (read.operation(), read.asking().cloned()) else {
        return Ok(Outcome::new("no operation is open"));
    };
    let Some(mut conclusion) = conclude(context, &operation, &asking).await else {
        return Ok(Outcome::new("too early to ask again"));
    };
    let terms = match &conclusion {
        Conclusion::Ended(Ending::Done(_)) if operation.verb.rules().is_priced => {
            Some(terms(context, &operation).await?)
        }
        _ => None,
    };
    for _ in 0..TRIES_MAX {
        let change = next(context, &read, &conclusion, terms.as_ref())?;
        if context.store.change(&change).await? == Committed::Done {
            count(context, &change);
            if let Conclusion::AskAgain(next) = &conclusion {
                send_again(context, item, next).await;
            }
            return Ok(outcome_of(&asking, &conclusion, &change, context));
        }
        // The resource was changed since it was read. This applies the processor's answer to the resource as it is now.
        // The processor is not asked again.
        let changed = context.store.resource::<T>(item.tenant(), &read.meta().id).await?;
        let carried_over = changed.and_then(|changed| {
            let now = changed.asking()?.clone();
            Some((conclusion.carried_over(&asking, &now)?, now, changed))
        });
        match carried_over {
            Some(carried_over) => (conclusion, asking, read) = carried_over,
            None => return Ok(Outcome::new("settled by another copy of the message")),
        }
    }
    Err(WorkError::Refused(format!("{item} changed during every one of {TRIES_MAX} commits")))
}

/// The change of the resource that follows from the conclusion.
fn next<T: Asks>(
    context: &Context, read: &T, conclusion: &Conclusion, terms: Option<&Terms>,
) -> Result<Change<T>, WorkError> {
    match conclusion {
        Conclusion::Ended(ending) => {
            let change = read.settle(ending.clone(), terms, context.now(), &context.unknown_outcome);
            change.map_err(|error| WorkError::Refused(error.to_string()))
        }
        Conclusion::AskAgain(next) => Ok(read.ask_again(next.clone())),
        Conclusion::Call => Err(WorkError::Refused("the call was not made yet".to_owned())),
    }
}

/// Calls the processor or looks the operation up until a conclusion can be stored. None if it is too early to ask.
async fn conclude(context: &Context, operation: &Operation, asking: &Asking) -> Option<Conclusion> {
    let policy = &context.unknown_outcome;
    let mut ask = asking.next(context.now(), policy);
    loop {
        let answer = match ask {
            Ask::Wait(_) => return None,
            Ask::Call => timed(context, context.processors.call(operation)).await,
            Ask::LookUp => timed(context, context.processors.look_up(operation)).await,
        };
        let is_unknown = answer == Answer::Unknown;
        let spread = context.random_between(0, 1000);
        let conclusion = asking.conclude(ask, answer, context.now(), policy, spread);
        match (&conclusion, operation.verb) {
            (Conclusion::Call, verb) => {
                if !verb.rules().looks_first {
                    let reference = &operation.reference;
                    tracing::error!(target: "spillway", %reference, %verb, "the processor has lost it, and is called again");
                    context.metrics.add(Metric::OperationsCalledAgain, 1);
                }
                ask = Ask::Call;
                continue;
            }
            (Conclusion::Ended(Ending::Done(_)), Verb::Undo) => {
                let reference = &operation.reference;
                tracing::error!(target: "spillway", %reference, "a charge appeared after its payment failed, and was undone");
                // Counted before the commit: if that fails, the next look-up may not find the charge any more.
                context.metrics.add(Metric::LateChargesUndone, 1);
            }
            (Conclusion::AskAgain(_), _) if is_unknown => context.metrics.add(Metric::OutcomesUnknown, 1),
            _ => {}
        }
        return Some(conclusion);
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

/// Counts payments that succeeded or failed.
fn count<T: Asks>(context: &Context, change: &Change<T>) {
    for event in &change.events {
        match event.event_type {
            EventType::PaymentSucceeded => context.metrics.add(Metric::PaymentsSucceeded, 1),
            EventType::PaymentFailed => context.metrics.add(Metric::PaymentsFailed, 1),
            _ => {}
        }
    }
}

/// The result for the log: the outcome, and the ids of the journal entries and events.
fn outcome_of<T: Asks>(asking: &Asking, conclusion: &Conclusion, change: &Change<T>, context: &Context) -> Outcome {
    let outcome = match conclusion {
        Conclusion::Ended(Ending::Done(_)) if asking.verb == Verb::Undo => "undone".to_owned(),
        Conclusion::Ended(Ending::Done(_)) => change.after.status().to_string(),
        Conclusion::Ended(Ending::Refused(failure)) => format!("declined {}", failure.code),
        Conclusion::Ended(Ending::NeverDone) => "never done".to_owned(),
        Conclusion::AskAgain(Asking { next_at: None, .. }) => "done after it was given up, to be undone".to_owned(),
        Conclusion::AskAgain(next) => {
            let is_first_absence = next.absent_since.is_some() && asking.absent_since.is_none();
            let answer = if is_first_absence { "nothing found" } else { "no answer" };
            format!("{answer}, again in {} s", wait_s(context, next))
        }
        Conclusion::Call => String::new(),
    };
    let entries = change.entries.iter().map(|(entry, _)| entry.id.to_string());
    entries.chain(change.events.iter().map(|event| event.id.to_string())).fold(Outcome::new(outcome), Outcome::with)
}

/// Seconds until the next ask, rounded up.
fn wait_s(context: &Context, next: &Asking) -> u32 {
    let now = context.now();
    let wait_ms = next.next_at.unwrap_or(now).since(now).max(0);
    u32::try_from(wait_ms.saturating_add(999) / 1000).unwrap_or(u32::MAX)
}

/// Sends the message for the next ask, if it is soon enough. The item has a due time, so losing the message only delays
/// the ask.
async fn send_again(context: &Context, item: &WorkItem, next: &Asking) {
    let delay_s = wait_s(context, next);
    if delay_s <= Outgoing::DELAY_S_MAX {
        let again = Outgoing { item: item.clone(), delay_s };
        if let Some((_, error)) = context.queues.send(&[again]).await.pop() {
            // The item's due time brings it back.
            tracing::warn!(target: "spillway", subject = %item, %error, "the message of the next ask was not sent");
        }
    }
}
