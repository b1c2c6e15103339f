//! The loop around a function, and its entry points for each kind of trigger. The one for the gateway is in `http.rs`.

use std::env;
use std::fmt::Display;
use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use futures::FutureExt as _;
use lambda_runtime::{Diagnostic, Error, LambdaEvent, service_fn};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use serde_json::value::RawValue;
use spillway_domain::time::Timestamp;
use tracing::{Instrument as _, Span};

use super::batches;
use super::line::{self, InvocationSummary};
use spillway_runtime::settings::Environment;
use spillway_runtime::{Context, Effects, Metric, Parts, log};
use spillway_store::WorkItem;
use spillway_wire::{FromOperator, OperatorRequest};
use spillway_work::{
    Batch, BatchResponse, ChangesEvent, HasQueues, MessagesEvent, Outcome, StreamChange, Subject, WorkError,
};

/// One invocation of a function.
#[derive(Debug, Clone)]
pub struct Invocation {
    /// Lambda's id of the invocation.
    pub request_id: String,
    /// The time at which Lambda ends the invocation.
    pub deadline: Timestamp,
}

/// The error of an authorizer that makes API Gateway answer 401; any other error makes it answer 500.
pub const UNAUTHORIZED: &str = "Unauthorized";
pub(super) const UNREADABLE: &str = "The request can't be read";

/// The assumed milliseconds of an invocation whose deadline has passed: `cargo lambda watch` sends a deadline in 1970.
const DEADLINE_FALLBACK_MS: i64 = 60_000;

/// Serves a queue's messages. `handle` returns a result for each distinct item of the batch, in order. A message whose
/// item failed comes again after a growing wait. The log line has the outcome of each item.
pub async fn serve_batch<P, F, Fut, D>(handle: F) -> Result<(), Error>
where
    P: Parts + HasQueues,
    F: Fn(Arc<Context<P>>, Invocation, Vec<WorkItem>) -> Fut,
    Fut: Future<Output = Vec<Result<D, WorkError>>>,
    D: Into<Vec<Outcome>>,
{
    let handle = &handle;
    run(move |context: Arc<Context<P>>, invocation: Invocation, event: MessagesEvent| {
        let batch = Batch::from(event);
        let mut summary = InvocationSummary::new(&invocation.request_id, batch.queue_name());
        let during = during(&summary.request_id);
        let handled = async move {
            let work = |items| caught(handle(context.clone(), invocation.clone(), items));
            let worked = batches::work(&context, invocation.deadline, batch, work).await;
            summary.subjects = worked.subjects;
            (summary.failed, summary.outcome) = outcome(worked.messages, worked.failed);
            (Ok::<BatchResponse, Diagnostic>(worked.response), summary)
        };
        handled.instrument(during)
    })
    .await
}

/// Serves the table's stream. `handle` forwards the changes in order. At the first failure it returns the index of the
/// change and the error; this change and all changes behind it come again.
///
/// After a partial batch response, Lambda repeats the remaining changes as one batch, and at last drops that whole
/// batch. So if the first of several changes failed, this answers with an error. Only an error makes Lambda halve the
/// batch, until the failing change is alone and the other changes are forwarded.
pub async fn serve_changes<P, F, Fut>(handle: F) -> Result<(), Error>
where
    P: Parts,
    F: Fn(Arc<Context<P>>, Vec<StreamChange>) -> Fut,
    Fut: Future<Output = Result<(), (usize, WorkError)>>,
{
    run(|context: Arc<Context<P>>, invocation: Invocation, event: ChangesEvent| {
        let changes = event.changes();
        let mut summary = InvocationSummary::new(&invocation.request_id, "stream");
        summary.subjects = changes.iter().map(StreamChange::subject).collect();
        let during = during(&summary.request_id);
        let handled = caught(handle(context.clone(), changes.clone()));
        let handled = async move {
            let handled = handled.await.unwrap_or(Err((0, WorkError::Panicked)));
            let (failed, response) = match handled {
                Ok(()) => (0, Ok(BatchResponse::default())),
                Err((index, error)) => {
                    tracing::warn!(index, error = %error, "change failed");
                    context.metrics.add(Metric::WorkFailed, 1);
                    let unsent = summary.subjects.split_off(index.min(changes.len()));
                    summary
                        .subjects
                        .extend(unsent.into_iter().map(|subject| subject.outcome(Outcome::new("not sent"))));
                    let from = changes.get(index).map(|change| change.sequence.clone());
                    let halve = index == 0 && changes.len() > 1;
                    let response =
                        if halve { Err(refused(error.to_string())) } else { Ok(BatchResponse::failed(from)) };
                    (changes.len() - index.min(changes.len()), response)
                }
            };
            (summary.failed, summary.outcome) = outcome(changes.len(), failed);
            (response, summary)
        };
        handled.instrument(during)
    })
    .await
}

/// The answer of a function that is invoked directly, with the subject for its log line.
#[derive(Debug)]
pub struct Answered<Out> {
    answer: Out,
    about: Option<Subject>,
}

impl<Out> Answered<Out> {
    /// The answer with its subject, if it has one.
    pub fn new(answer: Out, about: impl Into<Option<Subject>>) -> Answered<Out> {
        Answered { answer, about: about.into() }
    }
}

/// Serves a function that an operator invokes. The text of the handler's error is the function's error. The log line
/// has the operator.
pub async fn serve_direct<P, F, Fut, In, Out, E>(handle: F) -> Result<(), Error>
where
    P: Parts,
    F: Fn(Arc<Context<P>>, Invocation, FromOperator<In>) -> Fut,
    Fut: Future<Output = Result<Answered<Out>, E>>,
    In: OperatorRequest,
    Out: Serialize,
    E: Display,
{
    let operator = |request: &FromOperator<In>| request.operator.to_string();
    serve_read(handle, |payload| spillway_wire::read_operator_request(payload), operator).await
}

/// Serves the gateway's authorizer. The text of the handler's error is the function's error.
pub async fn serve_authorizer<P, F, Fut, In, Out, E>(handle: F) -> Result<(), Error>
where
    P: Parts,
    F: Fn(Arc<Context<P>>, Invocation, In) -> Fut,
    Fut: Future<Output = Result<Answered<Out>, E>>,
    In: DeserializeOwned,
    Out: Serialize,
    E: Display,
{
    let read = |payload: &str| serde_json::from_str(payload).map_err(|wrong| format!("{UNREADABLE}: {wrong}."));
    serve_read(handle, read, |_| String::new()).await
}

/// Serves a function with a payload that `read` parses. `operator`: the operator that the payload names, or "".
async fn serve_read<P, F, Fut, In, Out, E>(
    handle: F, read: impl Fn(&str) -> Result<In, String>, operator: impl Fn(&In) -> String,
) -> Result<(), Error>
where
    P: Parts,
    F: Fn(Arc<Context<P>>, Invocation, In) -> Fut,
    Fut: Future<Output = Result<Answered<Out>, E>>,
    Out: Serialize,
    E: Display,
{
    run(|context, invocation: Invocation, payload: Box<RawValue>| {
        let mut summary = InvocationSummary::new(&invocation.request_id, "invoke");
        let parsed = read(payload.get());
        let unreadable = parsed.is_err();
        summary.operator = parsed.as_ref().map(&operator).unwrap_or_default();
        let during = during(&summary.request_id);
        let handled = parsed.map(|input| caught(handle(context, invocation, input)));
        let handled = async move {
            let result = match handled {
                Err(wrong) => Err(wrong),
                Ok(handled) => match handled.await {
                    Ok(result) => result.map_err(|error| error.to_string()),
                    Err(_) => Err("Something failed on our side.".to_owned()),
                },
            };
            // A wrong API key is not a failure of the function.
            summary.failed = result.as_ref().is_err_and(|message| message != UNAUTHORIZED);
            summary.outcome = match &result {
                Ok(_) => "ok".to_owned(),
                // The error's text may repeat the payload.
                Err(_) if unreadable => UNREADABLE.to_owned(),
                Err(message) => message.clone(),
            };
            let result = result.map(|Answered { answer, about }| {
                summary.subjects.extend(about);
                answer
            });
            (result.map_err(refused), summary)
        };
        handled.instrument(during)
    })
    .await
}

/// Serves a schedule. `handle` returns the items that it worked on, and the outcome in a few words, or the first error.
pub async fn serve_tick<P, F, Fut, E>(handle: F) -> Result<(), Error>
where
    P: Parts,
    F: Fn(Arc<Context<P>>, Invocation) -> Fut,
    Fut: Future<Output = (Vec<WorkItem>, Result<String, E>)>,
    E: Display,
{
    run(|context, invocation: Invocation, _: Value| {
        let mut summary = InvocationSummary::new(&invocation.request_id, "schedule");
        let during = during(&summary.request_id);
        let handled = caught(handle(context, invocation));
        let handled = async move {
            let result = match handled.await {
                Ok((items, result)) => {
                    summary.subjects = items.iter().map(Subject::from).collect();
                    result.map_err(|error| error.to_string())
                }
                Err(_) => Err("panic".to_owned()),
            };
            summary.failed = result.is_err();
            summary.outcome = match &result {
                Ok(done) => done.clone(),
                Err(error) => error.clone(),
            };
            (result.map_err(refused), summary)
        };
        handled.instrument(during)
    })
    .await
}

/// The span of an invocation. Log lines in it, including those of panics, have the request id.
pub(super) fn during(request_id: &str) -> Span {
    tracing::info_span!("during", request_id)
}

/// Runs a future and catches its panic. The future is boxed, because the SDK's futures nest too deeply for the
/// compiler.
pub(super) fn caught<T>(future: impl Future<Output = T>) -> impl Future<Output = std::thread::Result<T>> {
    AssertUnwindSafe(Box::pin(future)).catch_unwind()
}

pub(super) fn refused(message: String) -> Diagnostic {
    Diagnostic { error_type: "Spillway".to_owned(), error_message: message }
}

/// Whether the invocation failed, and its outcome in words.
fn outcome(all: usize, failed: usize) -> (bool, String) {
    match failed {
        0 => (false, format!("ok {all}")),
        failed => (true, format!("failed {failed} of {all}")),
    }
}

/// Makes the context once, then serves events until the environment ends. Errors if a setting is missing or wrong.
pub(super) async fn run<P, In, Out, F, Fut>(handle: F) -> Result<(), Error>
where
    P: Parts,
    F: Fn(Arc<Context<P>>, Invocation, In) -> Fut,
    Fut: Future<Output = (Result<Out, Diagnostic>, InvocationSummary)>,
    In: DeserializeOwned,
    Out: Serialize,
{
    let environment = |name: &str| env::var(name).ok();
    let effects = Effects::real()?;
    let aws = spillway_runtime::config(&effects).await;
    let context = Arc::new(Context::<P>::new(Environment::new(&environment), effects, &aws)?);
    let level = context.process.log_level;
    log::init(level, context.effects());
    // Only the place of a panic is logged, because its message may contain data.
    std::panic::set_hook(Box::new(|panic| {
        let place = panic.location().map(ToString::to_string).unwrap_or_default();
        tracing::error!(place, "panic");
    }));
    let cold = AtomicBool::new(true);
    let (context, handle, cold) = (&context, &handle, &cold);
    let service = service_fn(move |event: LambdaEvent<In>| {
        let began = Instant::now();
        context.meter.reset();
        let now = context.now();
        let deadline = Timestamp::from_millis(i64::try_from(event.context.deadline).unwrap_or(i64::MAX));
        let deadline = if deadline > now { deadline } else { now.plus_millis(DEADLINE_FALLBACK_MS) };
        let invocation = Invocation { request_id: event.context.request_id, deadline };
        let handled = handle(context.clone(), invocation, event.payload);
        async move {
            let (result, summary) = handled.await;
            line::write(context, summary, began.elapsed(), cold.swap(false, Ordering::Relaxed), level);
            result
        }
    });
    lambda_runtime::run(service).await
}
