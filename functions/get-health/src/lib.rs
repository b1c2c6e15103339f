//! `GET /v1/health`: whether the API answers. It is public, so it makes no read that anyone could cause us to pay for.

use std::sync::Arc;

use lambda_http::Request;
use schemars::JsonSchema;
use serde::Serialize;
use spillway_runtime::Context;
use spillway_wire::contract::{Access, Endpoint, Success};
use spillway_wire::{ApiResponseExt as _, Parameters, Problem, Response};

/// The declaration of the endpoint.
pub const ENDPOINT: Endpoint<Health> = Endpoint {
    summary: "Whether the API answers",
    description: "Needs no key, reads nothing, and ignores its query. `HEAD` works too.",
    query: None,
    ..Endpoint::get("/v1/health", Access::Public, Success::ok("The API answers."))
};

/// The answer of the health check.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Health {
    /// Always `health`.
    #[schemars(extend("const" = "health"))]
    object: &'static str,
    /// Always `ok`.
    #[schemars(extend("const" = "ok"))]
    status: &'static str,
    /// The version of the API's software.
    version: &'static str,
}

/// Answers 200 with any query, because monitors add query parameters to bypass caches.
pub async fn handle(_: Arc<Context<()>>, _: Request, _: Parameters) -> Result<Response, Problem> {
    Ok(Response::ok(&Health { object: "health", status: "ok", version: env!("CARGO_PKG_VERSION") }).never_cached())
}
