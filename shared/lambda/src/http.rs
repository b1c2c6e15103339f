//! Endpoints behind API Gateway: `lambda_http`'s requests come in, its responses go out.

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
use spillway_wire::{ApiRequestExt as _, Parameters, Problem, Response, Unreadable};
use spillway_work::Subject;

/// Milliseconds of an invocation that are kept for the answer to be sent in.
const ANSWER_MS: i64 = 500;

/// Serves an endpoint behind API Gateway whose query has no parameters: any is refused, before anything is done.
pub async fn serve_http<P, F, Fut>(handle: F) -> Result<(), Error>
where
    P: Parts,
    F: Fn(Arc<Context<P>>, Request) -> Fut,
    Fut: Future<Output = Result<Response, Problem>>,
{
    serve_http_with_query(|context, request, query: Parameters| match query.finish() {
        Ok(()) => Either::Left(handle(context, request)),
        Err(problem) => Either::Right(ready(Err(problem))),
    })
    .await
}

/// Serves an endpoint behind API Gateway that reads its query.
///
/// A refusal and a panic are answers too: an error would be a 502 of the gateway. So is a handler that takes longer than
/// its invocation may last: 503, and not a time-out. Only an event that is none of API Gateway's is an error.
pub async fn serve_http_with_query<P, F, Fut>(handle: F) -> Result<(), Error>
where
    P: Parts,
    F: Fn(Arc<Context<P>>, Request, Parameters) -> Fut,
    Fut: Future<Output = Result<Response, Problem>>,
{
    run(|context: Arc<Context<P>>, invocation, payload: Box<RawValue>| {
        let mut summary = InvocationSummary::default();
        let answer = match spillway_wire::read_request(payload.get()) {
            Ok(request) => {
                summary = summary_of(&request);
                let query = Parameters::of(&request);
                let answer = handle(context.clone(), request, query);
                Some(Either::Left(caught(in_time(context, invocation.deadline, answer))))
            }
            Err(Unreadable::Request { request_id, why }) => {
                summary.request_id = request_id;
                summary.source = "http".to_owned();
                Some(Either::Right(ready(Ok(Err(Problem::malformed_request(why))))))
            }
            Err(Unreadable::Event) => {
                summary.request_id = invocation.request_id;
                summary.source = "http".to_owned();
                None
            }
        };
        let during = during(&summary.request_id);
        let handled = async move {
            let Some(answer) = answer else {
                summary.failed = true;
                summary.outcome = UNREADABLE.to_owned();
                return (Err(refused(format!("{UNREADABLE}: it is no event of API Gateway's REST API."))), summary);
            };
            let result = answer.await.unwrap_or_else(|_| Err(Problem::internal_error("panic")));
            (Ok(rendered(result, &mut summary)), summary)
        };
        handled.instrument(during)
    })
    .await
}

/// The handler's answer, or 503 when the invocation is about to end. What the handler has sent to the store by then may
/// still be written: the same request may be sent again, as after any 503.
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

/// What the log line tells of a request before it is answered.
fn summary_of(request: &Request) -> InvocationSummary {
    InvocationSummary {
        request_id: request.request_id().to_owned(),
        merchant: spillway_wire::claimed_merchant(request).to_owned(),
        source: format!("{} {}", request.method(), request.route()),
        subjects: spillway_wire::ids_in_path(request).map(Subject::new).collect(),
        ..InvocationSummary::default()
    }
}

/// The answer as the gateway takes it. The summary takes what came of the request.
fn rendered(result: Result<Response, Problem>, summary: &mut InvocationSummary) -> ApiGatewayProxyResponse {
    if let Err(problem) = &result {
        summary.failed = problem.is_ours();
        summary.outcome = problem.for_log();
    }
    let response = result.unwrap_or_else(|problem| problem.into_response(&summary.request_id));
    if let Some(subject) =
        spillway_wire::subject(&response).map(Subject::new).filter(|one| !summary.subjects.contains(one))
    {
        summary.subjects.push(subject);
    }
    if summary.outcome.is_empty() {
        summary.outcome = response.status().as_u16().to_string();
    }
    spillway_wire::render(response, &summary.request_id)
}
