//! `GET /v1/health`: whether the API answers. It is public, so it makes no read that anyone could cause us to pay for.

use std::sync::Arc;

use lambda_http::Request;
use schemars::JsonSchema;
use serde::Serialize;
use spillway_runtime::{Context, Parts, SettingError, Start};
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
    /// The version of the API's software, with its commit behind `+`.
    version: String,
}

/// The release that this function was deployed with.
#[derive(Debug)]
pub struct Release(String);

impl Parts for Release {
    fn new(start: &Start<'_>) -> Result<Release, SettingError> {
        Ok(Release(start.environment.text("RELEASE")?))
    }
}

/// Answers 200 with any query, because monitors add query parameters to bypass caches.
pub async fn handle(context: Arc<Context<Release>>, _: Request, _: Parameters) -> Result<Response, Problem> {
    let Release(version) = &**context;
    Ok(Response::ok(&Health { object: "health", status: "ok", version: version.clone() }).never_cached())
}
