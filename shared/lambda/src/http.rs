//! Serving endpoints behind API Gateway, with the requests and responses of `lambda_http`.

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use futures::future::{Either, ready, select};
use lambda_http::aws_lambda_events::apigw::ApiGatewayProxyResponse;
use lambda_http::{Error, Request};
use serde_json::value::RawValue;
use spillway_domain::time::Timestamp;
use tracing::Instrument as _;

use super::line::InvocationSummary;
use super::serve::{UNREADABLE, caught, during, refused, run};
use spillway_runtime::{Context, Parts};
use spillway_wire::contract::Limit;
use spillway_wire::{AnswerForm, ApiRequestExt as _, ApiVersion, Parameters, Problem, Response, Unreadable};
use spillway_work::{Outcome, Owner, Subject};

/// Milliseconds of an invocation that are reserved for sending the answer.
const ANSWER_MS: i64 = 500;

/// Serves requests of API Gateway without an API key, each with its query parameters.
pub async fn serve_http<P, F, Fut>(handle: F) -> Result<(), Error>
where
    P: Parts,
    F: Fn(Arc<Context<P>>, Request, Parameters) -> Fut,
    Fut: Future<Output = Result<Response, Problem>>,
{
    serve_requests(Limit::Plan, handle).await
}

/// Serves requests of API Gateway, each with its query parameters. Their rate has this limit.
///
/// Refusals and panics become answers, because the gateway would answer 502 to an error. A handler that takes too long
/// is answered with 503 before Lambda ends the invocation. Only an event that is not from API Gateway is an error.
pub(super) async fn serve_requests<P, F, Fut>(limit: Limit, handle: F) -> Result<(), Error>
where
    P: Parts,
    F: Fn(Arc<Context<P>>, Request, Parameters) -> Fut,
    Fut: Future<Output = Result<Response, Problem>>,
{
    run(|context: Arc<Context<P>>, invocation, payload: Box<RawValue>| {
        let mut summary = InvocationSummary::new(&invocation.request_id, "http");
        let mut form = None;
        let answer = match spillway_wire::read_request(payload.get()) {
            Ok(request) => {
                summary = summary_of(&request);
                form = Some(AnswerForm::of(&request, limit));
                match ApiVersion::of(&request) {
                    Ok(_) => {
                        let query = Parameters::of(&request);
                        let answer = handle(context.clone(), request, query);
                        Some(Either::Left(caught(in_time(context, invocation.deadline, answer))))
                    }
                    Err(problem) => Some(Either::Right(ready(Ok(Err(problem))))),
                }
            }
            Err(Unreadable::Request { request_id, why }) => {
                summary.request_id = request_id;
                Some(Either::Right(ready(Ok(Err(Problem::malformed_request(why))))))
            }
            Err(Unreadable::Event) => None,
        };
        let during = during(&summary.request_id);
        let handled = async move {
            let Some(answer) = answer else {
                summary.failed = true;
                summary.outcome = UNREADABLE.to_owned();
                return (Err(refused(format!("{UNREADABLE}: it is not an event of API Gateway's REST API."))), summary);
            };
            let result = answer.await.unwrap_or_else(|_| Err(Problem::internal_error("panic")));
            (Ok(rendered(result, form.as_ref(), &mut summary)), summary)
        };
        handled.instrument(during)
    })
    .await
}

/// The handler's answer, or 503 if the invocation is about to end. A write that the handler has sent to the store may
/// still succeed. As after any 503, the client may send the same request again.
async fn in_time<P>(
    context: Arc<Context<P>>, deadline: Timestamp, answer: impl Future<Output = Result<Response, Problem>>,
) -> Result<Response, Problem> {
    let left_ms = deadline.plus_millis(-ANSWER_MS).since(context.now());
    let end = context.sleep(Duration::from_millis(u64::try_from(left_ms).unwrap_or_default()));
    match select(pin!(answer), pin!(end)).await {
        Either::Left((answer, _)) => answer,
        Either::Right(_) => Err(Problem::unavailable("the invocation's time is up")),
    }
}

/// The summary of a request before it is answered.
fn summary_of(request: &Request) -> InvocationSummary {
    InvocationSummary {
        owner: Owner {
            merchant: spillway_wire::caller_merchant(request).to_owned(),
            mode: spillway_wire::caller_mode(request),
        },
        trace_id: request.trace().map_or_else(String::new, |trace| trace.id().to_owned()),
        subjects: spillway_wire::ids_in_path(request).map(Subject::new).collect(),
        ..InvocationSummary::new(request.request_id(), &format!("{} {}", request.method(), request.route()))
    }
}

/// Renders the answer for the gateway, and adds the outcome to the summary. `form` is None if the request can't be read.
fn rendered(
    result: Result<Response, Problem>, form: Option<&AnswerForm>, summary: &mut InvocationSummary,
) -> ApiGatewayProxyResponse {
    if let Err(problem) = &result {
        summary.failed = problem.is_ours();
        summary.outcome = problem.for_log();
    }
    let response = result.unwrap_or_else(|problem| problem.into_response(&summary.request_id));
    let response = match form {
        Some(form) => form.apply(response),
        None => response,
    };
    if let Some(about) = spillway_wire::about(&response) {
        let with = about.with.iter().fold(Outcome::default(), Outcome::with);
        let subject = Subject::new(&about.id).outcome(with);
        if !summary.subjects.contains(&subject) {
            summary.subjects.push(subject);
        }
    }
    if summary.outcome.is_empty() {
        summary.outcome = response.status().as_u16().to_string();
    }
    spillway_wire::render(response, &summary.request_id)
}
