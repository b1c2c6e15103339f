//! The processor queue: asks the processor for what a payment's state needs, and commits what it answers.

use std::future::Future;
use std::sync::Arc;
use std::time::Instant;

use spillway_domain::id::PaymentId;
use spillway_domain::payment::{Approval, Authorization, Change, Failure, Found, Payment, Status, Step, Terms};
use spillway_domain::tenant::Tenant;
use spillway_platform::runtime::{Context, Invocation, Metric};
use spillway_platform::store::{Committed, Due};
use spillway_platform::work::{Outgoing, Thing, WorkError, each};

/// Works on each payment by itself.
pub async fn handle(context: Arc<Context>, _: Invocation, things: Vec<Thing>) -> Vec<Result<(), WorkError>> {
    each(things, |thing| work(&context, thing)).await
}

async fn work(context: &Context, thing: Thing) -> Result<(), WorkError> {
    let Thing::Payment { tenant, id } = thing else { return Err(WorkError::Unreadable) };
    let Some((payment, due)) = load(context, &tenant, &id).await? else { return Ok(()) };
    let answered: Answer = match payment.next_step(context.now(), &context.settings.unknown_outcome) {
        Step::Nothing => return Ok(()),
        Step::Authorize => timed(context, context.processors.authorize(&payment)).await.into(),
        Step::LookUp => timed(context, context.processors.look_up(&payment)).await.into(),
        Step::LastLook => return last_look(context, &payment, due.as_ref()).await,
    };
    match answered {
        Answer::Approved(approval) => {
            let terms = terms(context, &payment).await?;
            let change = payment.approved(approval, &terms, context.now());
            commit(context, &change.map_err(|error| WorkError::Refused(error.to_string()))?).await
        }
        Answer::Declined(failure) => commit(context, &payment.failed(failure, context.now())).await,
        Answer::Absent => match payment.absent(context.now(), &context.settings.unknown_outcome) {
            Some(change) => commit(context, &change).await,
            None => ask_again(context, &payment, true).await,
        },
        Answer::Unknown => ask_again(context, &payment, false).await,
    }
}

/// The processor's answer to a call, however long it takes; how long it took is noted.
async fn timed<T>(context: &Context, call: impl Future<Output = T>) -> T {
    let began = Instant::now();
    let answer = call.await;
    let waited = began.elapsed();
    context.meter.waited_for_processor(waited);
    context.metrics.took(Metric::ProcessorLatency, waited);
    answer
}

/// What the processor said, to whichever question.
enum Answer {
    Approved(Approval),
    Declined(Failure),
    Absent,
    Unknown,
}

impl From<Authorization> for Answer {
    fn from(authorization: Authorization) -> Answer {
        match authorization {
            Authorization::Approved(approval) => Answer::Approved(approval),
            Authorization::Declined(failure) => Answer::Declined(failure),
            Authorization::Unknown => Answer::Unknown,
        }
    }
}

impl From<Found> for Answer {
    fn from(found: Found) -> Answer {
        match found {
            Found::Charge(approval) => Answer::Approved(approval),
            Found::Absent => Answer::Absent,
            Found::Unknown => Answer::Unknown,
        }
    }
}

async fn load(context: &Context, tenant: &Tenant, id: &PaymentId) -> Result<Option<(Payment, Option<Due>)>, WorkError> {
    let payment = context.store.payment_with_due(tenant, id).await?;
    if payment.is_none() {
        tracing::warn!(target: "spillway", payment = %id, "a message names a payment that is not there");
    }
    Ok(payment)
}

/// The merchant's terms for the payment's currency. If the cached merchant lacks the currency, it is older than the
/// currency, and the merchant is read again. An error if there is no price: nothing is posted, the message comes again.
async fn terms(context: &Context, payment: &Payment) -> Result<Terms, WorkError> {
    let (id, currency) = (&payment.tenant.merchant, payment.currency);
    if let Some(terms) = context.merchant(id).await?.and_then(|merchant| merchant.terms(currency)) {
        return Ok(terms);
    }
    let terms = context.merchant_now(id).await?.and_then(|merchant| merchant.terms(currency));
    terms.ok_or_else(|| WorkError::NoPrice(id.clone(), currency))
}

async fn commit(context: &Context, change: &Change) -> Result<(), WorkError> {
    if context.store.commit_payment(change).await? == Committed::Stale {
        tracing::info!(target: "spillway", payment = %change.payment.id, "settled meanwhile by another copy of the message");
        return Ok(());
    }
    match change.payment.status {
        Status::Succeeded => context.metrics.add(Metric::PaymentsSucceeded, 1),
        Status::Failed => context.metrics.add(Metric::PaymentsFailed, 1),
        Status::Processing => {}
    }
    Ok(())
}

/// Sets the time of the next try, in the item first, so that it can't be lost; the message is only faster.
async fn ask_again(context: &Context, payment: &Payment, absent: bool) -> Result<(), WorkError> {
    let now = context.now();
    let spread = context.random_between(0, 1000);
    let asked = payment.asked_in_vain(absent, now, &context.settings.unknown_outcome, spread);
    let next = asked.next_ask_at.unwrap_or(now);
    if !context.store.ask_again(&asked, next).await? {
        return Ok(());
    }
    if !absent {
        context.metrics.add(Metric::OutcomesUnknown, 1);
    }
    let delay_s = u32::try_from((next.since(now).max(0) + 999) / 1000).unwrap_or(u32::MAX);
    if delay_s <= Outgoing::DELAY_S_MAX {
        let thing = Thing::Payment { tenant: payment.tenant.clone(), id: payment.id.clone() };
        if let Some((_, error)) = context.queues().send(&[Outgoing { thing, delay_s }]).await.pop() {
            // Its due time brings it back.
            tracing::warn!(target: "spillway", payment = %payment.id, error = %error, "the next try's message was not sent");
        }
    }
    Ok(())
}

/// A charge that appears after its payment failed is undone, and somebody should know. Without an answer the due time
/// brings it back.
async fn last_look(context: &Context, payment: &Payment, due: Option<&Due>) -> Result<(), WorkError> {
    match timed(context, context.processors.look_up(payment)).await {
        Found::Unknown => return Ok(()),
        Found::Absent => {}
        Found::Charge(_) => {
            if !timed(context, context.processors.undo(payment)).await {
                return Ok(());
            }
            tracing::error!(target: "spillway", payment = %payment.id, "a charge appeared after its payment failed, and was undone");
            // Told before the end of the look is stored: were that to fail, the next look might find no charge any more.
            context.metrics.add(Metric::LateChargesUndone, 1);
        }
    }
    if let Some(due) = due {
        context.store.end_last_look(payment, due).await?;
    }
    Ok(())
}
