//! `GET /v1/webhook-endpoints/{endpoint_id}`: a webhook endpoint as it is now.

use std::sync::Arc;

use lambda_http::Request;
use spillway_domain::api_key::Scope;
use spillway_domain::id::EndpointKind;
use spillway_runtime::Context;
use spillway_store::StoreOnly;
use spillway_wire::contract::{Access, Endpoint, PathId, Success};
use spillway_wire::view::{self, WebhookEndpointView};
use spillway_wire::{ApiResponseExt as _, Caller, Problem, Response};

const WEBHOOK_ENDPOINT: PathId<EndpointKind> = PathId::new("endpoint_id", "webhook endpoint");

/// The declaration of the endpoint.
pub const ENDPOINT: Endpoint<WebhookEndpointView<'static>> = Endpoint {
    summary: "Get a webhook endpoint",
    description: "A webhook endpoint as it is now, without its secret.",
    path_ids: &[WEBHOOK_ENDPOINT.spec()],
    ..Endpoint::get(
        "/v1/webhook-endpoints/{endpoint_id}",
        Access::Reads(Scope::WebhooksWrite),
        Success::ok("The webhook endpoint."),
    )
};

/// Answers with the endpoint, without its secret. A malformed id, a missing endpoint and another tenant's endpoint get
/// the same 404.
pub async fn handle(context: Arc<Context<StoreOnly>>, caller: Caller, request: Request) -> Result<Response, Problem> {
    let id = WEBHOOK_ENDPOINT.read(&request)?;

    let found = context.store.webhook_endpoint(&caller.tenant, &id).await?;
    let endpoint = found.ok_or_else(|| WEBHOOK_ENDPOINT.not_found())?;

    let response = Response::ok(&view::webhook_endpoint(&endpoint)).with_version(view::etag(endpoint.meta.version));
    Ok(response.about(id.as_str()))
}
