//! `GET /v1/openapi.json`: the OpenAPI document of this API. It is public, so it makes no read that anyone could cause
//! us to pay for.

use std::sync::Arc;

use lambda_http::Request;
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::value::RawValue;
use spillway_runtime::Context;
use spillway_wire::contract::{Access, Endpoint, Success};
use spillway_wire::{ApiResponseExt as _, Parameters, Problem, Response};

/// The document that `make openapi` writes.
const DOCUMENT: &str = include_str!("../../../docs/openapi.json");

/// The declaration of the endpoint.
pub const ENDPOINT: Endpoint<Document> = Endpoint {
    summary: "Get this document",
    description: "The OpenAPI 3.1 document of the deployed version. Its query is ignored.",
    query: None,
    ..Endpoint::get("/v1/openapi.json", Access::Public, Success::ok("The document."))
};

/// An OpenAPI document.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "OpenApi", with = "std::collections::BTreeMap<String, serde_json::Value>")]
#[serde(transparent)]
pub struct Document(&'static RawValue);

/// Answers 200 with any query.
pub async fn handle(_: Arc<Context<()>>, _: Request, _: Parameters) -> Result<Response, Problem> {
    let document = serde_json::from_str(DOCUMENT).map_err(|error| Problem::internal_error(error.to_string()))?;
    // The document is the same for every client, so a shared cache may store it too.
    Ok(Response::ok(&Document(document)).with_header("cache-control", "no-cache"))
}
