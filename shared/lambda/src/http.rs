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

use super::line::Told;
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
        let mut told = Told::default();
        let answer = match spillway_wire::read_request(payload.get()) {
            Ok(request) => {
                told = told_of(&request);
                let query = Parameters::of(&request);
                let answer = handle(context.clone(), request, query);
                Some(Either::Left(caught(in_time(context, invocation.deadline, answer))))
            }
            Err(Unreadable::Request { request_id, why }) => {
                told.request_id = request_id;
                told.source = "http".to_owned();
                Some(Either::Right(ready(Ok(Err(Problem::malformed_request(why))))))
            }
            Err(Unreadable::Event) => {
                told.request_id = invocation.request_id;
                told.source = "http".to_owned();
                None
            }
        };
        let during = during(&told.request_id);
        let handled = async move {
            let Some(answer) = answer else {
                told.failed = true;
                told.outcome = UNREADABLE.to_owned();
                return (Err(refused(format!("{UNREADABLE}: it is no event of API Gateway's REST API."))), told);
            };
            let result = answer.await.unwrap_or_else(|_| Err(Problem::internal_error("panic")));
            (Ok(rendered(result, &mut told)), told)
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
fn told_of(request: &Request) -> Told {
    Told {
        request_id: request.request_id().to_owned(),
        merchant: spillway_wire::claimed_merchant(request).to_owned(),
        source: format!("{} {}", request.method(), request.route()),
        subjects: spillway_wire::ids_in_path(request).map(Subject::new).collect(),
        ..Told::default()
    }
}

/// The answer as the gateway takes it. What came of the request is told.
fn rendered(result: Result<Response, Problem>, told: &mut Told) -> ApiGatewayProxyResponse {
    if let Err(problem) = &result {
        told.failed = problem.is_ours();
        told.outcome = problem.for_log();
    }
    let response = result.unwrap_or_else(|problem| problem.into_response(&told.request_id));
    if let Some(subject) =
        spillway_wire::subject(&response).map(Subject::new).filter(|one| !told.subjects.contains(one))
    {
        told.subjects.push(subject);
    }
    if told.outcome.is_empty() {
        told.outcome = response.status().as_u16().to_string();
    }
    spillway_wire::render(response, &told.request_id)
}
