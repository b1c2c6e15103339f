//! `GET /v1/health`: whether the API answers at all. Public, and without a read that anybody could make us pay for.

use std::sync::Arc;

use lambda_http::Request;
use serde::Serialize;
use spillway_platform::api::{ApiResponseExt as _, Parameters, Problem, Response};
use spillway_platform::runtime::Context;

#[derive(Serialize)]
struct Health {
    object: &'static str,
    status: &'static str,
    version: &'static str,
}

/// Answers 200, whatever the query: monitors add to it what gets their requests past caches.
pub async fn handle(_: Arc<Context<()>>, _: Request, _: Parameters) -> Result<Response, Problem> {
    Ok(Response::ok(&Health { object: "health", status: "ok", version: env!("CARGO_PKG_VERSION") }).never_cached())
}
