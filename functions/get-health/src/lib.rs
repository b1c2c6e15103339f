//! `GET /v1/health`: whether the API answers at all. Public, and without a read that anybody could make us pay for.

use std::sync::Arc;

use serde::Serialize;
use spillway_platform::api::{Problem, Request, Response};
use spillway_platform::runtime::Context;

#[derive(Serialize)]
struct Health {
    object: &'static str,
    status: &'static str,
    version: &'static str,
}

/// Answers 200.
pub async fn handle(_: Arc<Context<()>>, _: Request) -> Result<Response, Problem> {
    Ok(Response::ok(&Health { object: "health", status: "ok", version: env!("CARGO_PKG_VERSION") }).never_cached())
}
