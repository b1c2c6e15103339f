//! Serving an endpoint by its declaration. The handler is called only if the caller has access.

use std::future::Future;
use std::sync::Arc;

use lambda_http::{Error, Request};

use super::http::serve_requests;
use spillway_runtime::{Context, Parts};
use spillway_wire::contract::Endpoint;
use spillway_wire::{Caller, Parameters, Problem, Response};

/// Serves an endpoint without query parameters: a request with some is refused. The handler is called only with a
/// caller that has access.
pub async fn serve_endpoint<A, P, F, Fut>(endpoint: &'static Endpoint<A>, handle: F) -> Result<(), Error>
where
    P: Parts,
    F: Fn(Arc<Context<P>>, Caller, Request) -> Fut,
    Fut: Future<Output = Result<Response, Problem>>,
{
    let handle = &handle;
    serve_requests(endpoint.limit, move |context: Arc<Context<P>>, request, query: Parameters| async move {
        query.finish()?;
        let answer = match endpoint.authorized(&request, context.now()) {
            Ok(caller) => handle(context, caller, request).await,
            Err(problem) => Err(problem),
        };
        declared(endpoint, answer)
    })
    .await
}

/// Serves an endpoint with query parameters. The handler is called only with a caller that has access.
pub async fn serve_list<A, P, F, Fut>(endpoint: &'static Endpoint<A>, handle: F) -> Result<(), Error>
where
    P: Parts,
    F: Fn(Arc<Context<P>>, Caller, Request, Parameters) -> Fut,
    Fut: Future<Output = Result<Response, Problem>>,
{
    let handle = &handle;
    serve_requests(endpoint.limit, move |context: Arc<Context<P>>, request, query| async move {
        let answer = match endpoint.authorized(&request, context.now()) {
            Ok(caller) => handle(context, caller, request, query).await,
            Err(problem) => Err(problem),
        };
        declared(endpoint, answer)
    })
    .await
}

/// Returns the answer. In a debug build this panics if the declaration does not list the answer, because then the
/// OpenAPI document would be wrong.
fn declared<A>(endpoint: &Endpoint<A>, answer: Result<Response, Problem>) -> Result<Response, Problem> {
    if cfg!(debug_assertions) {
        match &answer {
            Ok(response) => {
                assert_eq!(response.status(), endpoint.success.status, "undeclared");
            }
            Err(problem) => assert!(endpoint.all_problems().contains(problem.kind()), "undeclared: {problem:?}"),
        }
    }
    answer
}
