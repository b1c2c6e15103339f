//! The processor queue: asks the processor for what a payment's state needs, and commits what it answers.

use std::sync::Arc;
use std::time::Instant;

use spillway_domain::id::PaymentId;
use spillway_domain::payment::{Authorization, Change, Found, Payment, Step, Terms};
use spillway_domain::tenant::Tenant;
use spillway_platform::runtime::{Context, Invocation};
use spillway_platform::store::Committed;
use spillway_platform::work::{Send, Thing, WorkError, each};

/// The processor did not tell; whether a look-up found nothing.
struct NotKnown {
    absent: bool,
}

/// Works on each payment by itself.
pub async fn handle(context: Arc<Context>, _: Invocation, things: Vec<Thing>) -> Vec<Result<(), WorkError>> {
    each(things, |thing| work(&context, thing)).await
}

async fn work(context: &Context, thing: Thing) -> Result<(), WorkError> {
    let Thing::Payment { tenant, id } = thing else { return Err(WorkError::Unreadable) };
    let Some(payment) = load(context, &tenant, &id).await? else { return Ok(()) };
    let began = Instant::now();
    let answered = match payment.next_step(context.now(), &context.settings.unknown_outcome) {
        Step::Nothing => return Ok(()),
        Step::Authorize => Answer::Authorization(context.processors.authorize(&payment).await),
        Step::LookUp => Answer::Found(context.processors.look_up(&payment).await),
        Step::LastLook => return last_look(context, &payment).await,
    };
    context.meter.waited_for_processor(began.elapsed());
    match decide(context, &payment, answered).await? {
        Ok(change) => commit(context, &change).await,
        Err(not_known) => ask_again(context, &payment, not_known).await,
    }
}

/// What the processor said.
enum Answer {
    Authorization(Authorization),
    Found(Found),
}

async fn load(context: &Context, tenant: &Tenant, id: &PaymentId) -> Result<Option<Payment>, WorkError> {
    let payment = context.store.payment(tenant, id).await?;
    if payment.is_none() {
        tracing::warn!(target: "spillway", payment = %id, "a message names a payment that is not there");
    }
    Ok(payment)
}

/// The change that follows from the answer, or that nothing is known yet.
async fn decide(context: &Context, payment: &Payment, answer: Answer) -> Result<Result<Change, NotKnown>, WorkError> {
    let approval = match answer {
        Answer::Authorization(Authorization::Approved(approval)) | Answer::Found(Found::Charge(approval)) => approval,
        Answer::Authorization(Authorization::Declined(failure)) => {
            return Ok(Ok(payment.failed(failure, context.now())));
        }
        Answer::Authorization(Authorization::Unknown) | Answer::Found(Found::Unknown) => {
            return Ok(Err(NotKnown { absent: false }));
        }
        Answer::Found(Found::Absent) => {
            let failed = payment.absent(context.now(), &context.settings.unknown_outcome);
            return Ok(failed.ok_or(NotKnown { absent: true }));
        }
    };
    let terms = terms(context, payment).await?;
    let change = payment.approved(approval, &terms, context.now());
    change.map(Ok).map_err(|error| WorkError::Refused(error.to_string()))
}

/// The merchant's terms for the payment's currency.
async fn terms(context: &Context, payment: &Payment) -> Result<Terms, WorkError> {
    let merchant = context.merchant(&payment.tenant.merchant).await?;
    let merchant = merchant.ok_or_else(|| WorkError::Refused("the payment's merchant is not there".to_owned()))?;
    Ok(Terms {
        pricing: merchant.currencies.get(&payment.currency).copied().unwrap_or_default(),
        settlement_delay_days: merchant.settlement_delay_days,
    })
}

async fn commit(context: &Context, change: &Change) -> Result<(), WorkError> {
    if context.store.commit_payment(change).await? == Committed::Stale {
        tracing::info!(target: "spillway", payment = %change.payment.id, "settled meanwhile by another copy of the message");
    }
    Ok(())
}

/// Sets the time of the next try, in the item first, so that it can't be lost; the message is only faster.
async fn ask_again(context: &Context, payment: &Payment, not_known: NotKnown) -> Result<(), WorkError> {
    let waits_s = &context.settings.processor_waits_s;
    let tried = usize::try_from(payment.asks).unwrap_or(usize::MAX).min(waits_s.len().saturating_sub(1));
    let most_s = waits_s.get(tried).copied().unwrap_or(1);
    // Spread over the last fifth of the wait, so that what failed together is not tried together.
    let wait_s = context.random_between(most_s - most_s / 5, most_s);
    let now = context.now();
    let absent_since = if not_known.absent { payment.absent_since.or(Some(now)) } else { payment.absent_since };
    let due_at = now.plus_seconds(wait_s.saturating_add(context.settings.first_due_s));
    let ours = context.store.ask_again(payment, absent_since, due_at).await?;
    if ours && wait_s <= Send::DELAY_S_MAX {
        let thing = Thing::Payment { tenant: payment.tenant.clone(), id: payment.id.clone() };
        if let Some((_, error)) = context.queues().send(&[Send { thing, delay_s: wait_s }]).await.pop() {
            return Err(error);
        }
    }
    Ok(())
}

/// A charge that appears after its payment failed is undone, and somebody should know. Without an answer the due time
/// brings it back.
async fn last_look(context: &Context, payment: &Payment) -> Result<(), WorkError> {
    match context.processors.look_up(payment).await {
        Found::Unknown => return Ok(()),
        Found::Absent => {}
        Found::Charge(_) => {
            tracing::error!(target: "spillway", payment = %payment.id, "the processor charged a failed payment; it is undone");
            if !context.processors.undo(payment).await {
                return Ok(());
            }
        }
    }
    context.store.end_last_look(payment).await.map_err(Into::into)
}
