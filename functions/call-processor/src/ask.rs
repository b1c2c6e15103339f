//! One loop for every resource that waits for a card processor: load, ask, conclude, commit.

use std::future::Future;
use std::time::Instant;

use spillway_domain::change::Change;
use spillway_domain::event::EventType;
use spillway_domain::fee::Terms;
use spillway_domain::operation::{Answer, Ask, Asking, Asks, Conclusion, Ending, Operation, Verb};
use spillway_runtime::Metric;
use spillway_store::{Committed, WorkItem};
use spillway_wire::view::Shown;
use spillway_work::{Done, Outgoing, WorkError};

use crate::Context;

/// Commits of one outcome, while others change the resource in between.
const TRIES: u32 = 8;

/// Asks the processor what the resource's state needs, if it needs anything now, and stores what follows.
pub async fn ask<T: Asks + Shown>(context: &Context, item: &WorkItem) -> Result<Done, WorkError> {
    let id = item.id::<T::Kind>().ok_or(WorkError::UnknownKey)?;
    let Some(read) = context.store.resource::<T>(item.tenant(), &id).await? else {
        tracing::warn!(target: "spillway", %id, "a message names a {} that is not there", T::NAME);
        return Ok(Done::new("it is not there"));
    };
    let request_id = read.meta().request_id.clone();
    asked(context, item, read).await.map(|done| done.begun_by(&request_id))
}

async fn asked<T: Asks + Shown>(context: &Context, item: &WorkItem, mut read: T) -> Result<Done, WorkError> {
    let (Some(operation), Some(mut asking)) = (read.operation(), read.asking().cloned()) else {
        return Ok(Done::new("nothing is to be asked"));
    };
    let Some(mut conclusion) = conclude(context, &operation, &asking).await else {
        return Ok(Done::new("not yet to be asked again"));
    };
    let terms = match &conclusion {
        Conclusion::Ended(Ending::Done(_)) if operation.verb.is_priced() => Some(terms(context, &operation).await?),
        _ => None,
    };
    for _ in 0..TRIES {
        let change = next(context, &read, &conclusion, terms.as_ref())?;
        if context.store.change(&change).await? == Committed::Done {
            count(context, &change);
            if let Conclusion::AskAgain(next) = &conclusion {
                send_again(context, item, next).await;
            }
            return Ok(done(&asking, &conclusion, &change, context));
        }
        // It was changed since it was read. What the answer means for what it is now is stored: the processor is not asked
        // again.
        let changed = context.store.resource::<T>(item.tenant(), &read.meta().id).await?;
        let carried_over = changed.and_then(|changed| {
            let now = changed.asking()?.clone();
            Some((conclusion.carried_over(&asking, &now)?, now, changed))
        });
        match carried_over {
            Some(carried_over) => (conclusion, asking, read) = carried_over,
            None => return Ok(Done::new("settled meanwhile by another copy of the message")),
        }
    }
    Err(WorkError::Refused(format!("{item} changed during every one of {TRIES} commits")))
}

/// The change that the conclusion makes of the resource as it was read last.
fn next<T: Asks>(
    context: &Context, read: &T, conclusion: &Conclusion, terms: Option<&Terms>,
) -> Result<Change<T>, WorkError> {
    match conclusion {
        Conclusion::Ended(ending) => {
            let change = read.settle(ending.clone(), terms, context.now(), &context.unknown_outcome);
            change.map_err(|error| WorkError::Refused(error.to_string()))
        }
        Conclusion::AskAgain(next) => Ok(read.ask_again(next.clone())),
        Conclusion::Call => Err(WorkError::Refused("a call is still to be made".to_owned())),
    }
}

/// Asks until it is known what follows. None: nothing is to be done now, the message is early.
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
                if !verb.looks_first() {
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
                // Counted before the end of the look is stored: were that to fail, the next look might find no charge
                // any more.
                context.metrics.add(Metric::LateChargesUndone, 1);
            }
            (Conclusion::AskAgain(_), _) if is_unknown => context.metrics.add(Metric::OutcomesUnknown, 1),
            _ => {}
        }
        return Some(conclusion);
    }
}

/// The processor's answer to a call, however long it takes; how long it took is noted.
async fn timed<T>(context: &Context, call: impl Future<Output = T>) -> T {
    let (began, metered) = (Instant::now(), context.meter.calls_processor());
    let answer = call.await;
    drop(metered);
    context.metrics.took(Metric::ProcessorLatency, began.elapsed());
    answer
}

/// The merchant's terms for the operation's currency. If the cached merchant lacks the currency, it is older than the
/// currency, and the merchant is read again. An error if there is no price: nothing is posted, the message comes again.
async fn terms(context: &Context, operation: &Operation) -> Result<Terms, WorkError> {
    let (id, currency) = (&operation.tenant.merchant, operation.currency);
    if let Some(terms) = context.merchants.get(id).await?.and_then(|merchant| merchant.terms(currency)) {
        return Ok(terms);
    }
    let terms = context.merchants.now(id).await?.and_then(|merchant| merchant.terms(currency));
    terms.ok_or_else(|| WorkError::NoPrice(id.clone(), currency))
}

fn count<T: Asks>(context: &Context, change: &Change<T>) {
    for event in &change.events {
        match event.event_type {
            EventType::PaymentSucceeded => context.metrics.add(Metric::PaymentsSucceeded, 1),
            EventType::PaymentFailed => context.metrics.add(Metric::PaymentsFailed, 1),
            _ => {}
        }
    }
}

/// For the log: what came of it, and what was made.
fn done<T: Asks>(asking: &Asking, conclusion: &Conclusion, change: &Change<T>, context: &Context) -> Done {
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
    let made = change.entries.iter().map(|(entry, _)| entry.id.to_string());
    made.chain(change.events.iter().map(|event| event.id.to_string())).fold(Done::new(outcome), Done::with)
}

/// Begun seconds until the next ask.
fn wait_s(context: &Context, next: &Asking) -> u32 {
    let now = context.now();
    let wait_ms = next.next_at.unwrap_or(now).since(now).max(0);
    u32::try_from(wait_ms.saturating_add(999) / 1000).unwrap_or(u32::MAX)
}

/// Sends the message of the next ask. Its time is in the item, so that it can't be lost; the message is only faster.
async fn send_again(context: &Context, item: &WorkItem, next: &Asking) {
    let delay_s = wait_s(context, next);
    if delay_s <= Outgoing::DELAY_S_MAX {
        let again = Outgoing { item: item.clone(), delay_s };
        if let Some((_, error)) = context.queues.send(&[again]).await.pop() {
            // Its due time brings it back.
            tracing::warn!(target: "spillway", subject = %item, %error, "the next try's message was not sent");
        }
    }
}
