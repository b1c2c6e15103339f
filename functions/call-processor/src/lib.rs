//! The processor queue: asks the processor for what a payment's state needs, and commits what it answers.

use std::future::Future;
use std::sync::Arc;
use std::time::Instant;

use spillway_domain::id::PaymentId;
use spillway_domain::payment::{
    Approval, Authorization, Change, Failure, Found, Payment, Status, Step, Terms, UnknownOutcomePolicy,
};
use spillway_domain::tenant::Tenant;
use spillway_platform::processor::Processors;
use spillway_platform::runtime::{self, HasQueues, Invocation, Merchants, Metric, SettingError, Start, settings};
use spillway_platform::store::{Committed, Due, Store};
use spillway_platform::work::{Done, Outgoing, QueueName, Queues, Thing, WorkError, each};

/// The store, the processors and what they may leave open.
pub struct Parts {
    store: Store,
    merchants: Merchants,
    queues: Queues,
    processors: Processors,
    unknown_outcome: UnknownOutcomePolicy,
}

impl runtime::Parts for Parts {
    fn new(start: &Start<'_>) -> Result<Parts, SettingError> {
        let store = Store::with_due_times(start)?;
        let unknown_outcome = settings::unknown_outcome(&start.environment)?;
        Ok(Parts {
            merchants: Merchants::new(start, &store)?,
            queues: Queues::new(start, &[QueueName::Processor])?,
            processors: Processors::new(start, &store, &unknown_outcome),
            unknown_outcome,
            store,
        })
    }
}

impl HasQueues for Parts {
    fn queues(&self) -> &Queues {
        &self.queues
    }
}

type Context = runtime::Context<Parts>;

/// Works on each payment by itself.
pub async fn handle(context: Arc<Context>, _: Invocation, things: Vec<Thing>) -> Vec<Result<Done, WorkError>> {
    each(things, |thing| work(&context, thing)).await
}

async fn work(context: &Context, thing: Thing) -> Result<Done, WorkError> {
    let Thing::Payment { tenant, id } = thing else { return Err(WorkError::Unreadable) };
    let Some((payment, due)) = load(context, &tenant, &id).await? else {
        return Ok(Done::new("there is no such payment"));
    };
    Ok(ask(context, &payment, due.as_ref()).await?.begun_by(&payment.request_id))
}

async fn ask(context: &Context, payment: &Payment, due: Option<&Due>) -> Result<Done, WorkError> {
    let answered: Answer = match payment.next_step(context.now(), &context.unknown_outcome) {
        Step::Nothing => return Ok(nothing_to_do(payment)),
        Step::Authorize => timed(context, context.processors.authorize(payment)).await.into(),
        Step::LookUp => timed(context, context.processors.look_up(payment)).await.into(),
        Step::LastLook => return last_look(context, payment, due).await,
    };
    match answered {
        Answer::Approved(approval) => {
            let terms = terms(context, payment).await?;
            let change = payment.approved(approval, &terms, context.now());
            let change = change.map_err(|error| WorkError::Refused(error.to_string()))?;
            commit(context, &change, "succeeded".to_owned()).await
        }
        Answer::Declined(failure) => {
            let outcome = format!("declined {}", failure.code);
            commit(context, &payment.failed(failure, context.now()), outcome).await
        }
        Answer::Absent => match payment.absent(context.now(), &context.unknown_outcome) {
            Some(change) => commit(context, &change, "failed, no charge was found".to_owned()).await,
            None => ask_again(context, payment, true).await,
        },
        Answer::Unknown => ask_again(context, payment, false).await,
    }
}

/// A late or repeated message, for the log.
fn nothing_to_do(payment: &Payment) -> Done {
    Done::new(match payment.status {
        Status::Processing => "not yet to be asked again",
        Status::Succeeded => "succeeded before",
        Status::Failed => "failed before",
    })
}

/// The processor's answer to a call, however long it takes; how long it took is noted.
async fn timed<T>(context: &Context, call: impl Future<Output = T>) -> T {
    let (began, metered) = (Instant::now(), context.meter.calls_processor());
    let answer = call.await;
    drop(metered);
    context.metrics.took(Metric::ProcessorLatency, began.elapsed());
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
    if let Some(terms) = context.merchants.get(id).await?.and_then(|merchant| merchant.terms(currency)) {
        return Ok(terms);
    }
    let terms = context.merchants.now(id).await?.and_then(|merchant| merchant.terms(currency));
    terms.ok_or_else(|| WorkError::NoPrice(id.clone(), currency))
}

/// `outcome` is for the log.
async fn commit(context: &Context, change: &Change, outcome: String) -> Result<Done, WorkError> {
    if context.store.commit_payment(change).await? == Committed::Stale {
        return Ok(Done::new("settled meanwhile by another copy of the message"));
    }
    match change.payment.status {
        Status::Succeeded => context.metrics.add(Metric::PaymentsSucceeded, 1),
        Status::Failed => context.metrics.add(Metric::PaymentsFailed, 1),
        Status::Processing => {}
    }
    let entry = change.posting.iter().map(|(entry, _)| &entry.id);
    Ok(entry.fold(Done::new(outcome), Done::with).with(&change.event.id))
}

/// Sets the time of the next try, in the item first, so that it can't be lost; the message is only faster.
async fn ask_again(context: &Context, payment: &Payment, absent: bool) -> Result<Done, WorkError> {
    let now = context.now();
    let spread = context.random_between(0, 1000);
    let asked = payment.asked_in_vain(absent, now, &context.unknown_outcome, spread);
    let next = asked.next_ask_at.unwrap_or(now);
    if !context.store.ask_again(&asked, next).await? {
        return Ok(Done::new("asked meanwhile for another copy of the message"));
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
    Ok(Done::new(format!("{}, again in {delay_s} s", if absent { "no charge found" } else { "no answer" })))
}

/// A charge that appears after its payment failed is undone, and somebody should know. Without an answer the due time
/// brings it back.
async fn last_look(context: &Context, payment: &Payment, due: Option<&Due>) -> Result<Done, WorkError> {
    let outcome = match timed(context, context.processors.look_up(payment)).await {
        Found::Unknown => return Ok(Done::new("last look: no answer")),
        Found::Absent => "last look: no charge",
        Found::Charge(_) => {
            if !timed(context, context.processors.undo(payment)).await {
                return Ok(Done::new("last look: a charge, not undone yet"));
            }
            tracing::error!(target: "spillway", payment = %payment.id, "a charge appeared after its payment failed, and was undone");
            // Told before the end of the look is stored: were that to fail, the next look might find no charge any more.
            context.metrics.add(Metric::LateChargesUndone, 1);
            "last look: a charge, undone"
        }
    };
    if let Some(due) = due {
        context.store.end_last_look(payment, due).await?;
    }
    Ok(Done::new(outcome))
}
