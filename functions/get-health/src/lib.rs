//! `GET /v1/health`: whether the API answers at all. Public, and without a read that anybody could make us pay for.

use std::sync::Arc;

use lambda_http::Request;
use schemars::JsonSchema;
use serde::Serialize;
use spillway_runtime::Context;
use spillway_wire::contract::{Access, Endpoint, Success};
use spillway_wire::{ApiResponseExt as _, Parameters, Problem, Response};

/// The declaration.
pub const ENDPOINT: Endpoint<Health> = Endpoint {
    summary: "Whether the API answers",
    description: "Needs no key, reads nothing, and ignores its query. `HEAD` is answered too.",
    query: None,
    ..Endpoint::get("/v1/health", Access::Public, Success::ok("The API answers."))
};

/// What is shown of an API that answers.
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

/// Answers 200, whatever the query: monitors add to it what gets their requests past caches.
pub async fn handle(_: Arc<Context<()>>, _: Request, _: Parameters) -> Result<Response, Problem> {
    Ok(Response::ok(&Health { object: "health", status: "ok", version: env!("CARGO_PKG_VERSION") }).never_cached())
}
