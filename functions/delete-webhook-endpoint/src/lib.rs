//! `DELETE /v1/webhook-endpoints/{endpoint_id}`: ends a webhook endpoint.

use std::sync::Arc;

use lambda_http::Request;
use spillway_domain::api_key::Scope;
use spillway_domain::id::EndpointKind;
use spillway_platform::api::contract::{Access, Endpoint, PathId, Success};
use spillway_platform::api::{ApiResponseExt as _, Caller, Problem, Response};
use spillway_platform::runtime::Context;
use spillway_platform::store::Committed;

const WEBHOOK_ENDPOINT: PathId<EndpointKind> = PathId::new("endpoint_id", "webhook endpoint");
/// Tries while the endpoint is enabled and disabled at the same time.
const TRIES_MAX: u32 = 5;

/// The declaration.
pub const ENDPOINT: Endpoint<()> = Endpoint {
    summary: "Delete a webhook endpoint",
    description: "The endpoint gets no more events, and no more attempts of those that wait for it. Sent again within 30 \
                  days, the answer is the same.",
    path_ids: &[WEBHOOK_ENDPOINT.spec()],
    ..Endpoint::delete(
        "/v1/webhook-endpoints/{endpoint_id}",
        Access::Starts(Scope::WebhooksWrite),
        Success::no_content("The webhook endpoint is gone."),
    )
};

/// Deletes the endpoint, whatever its version, and answers 204, as for one that was deleted before.
pub async fn handle(context: Arc<Context>, caller: Caller, request: Request) -> Result<Response, Problem> {
    let id = WEBHOOK_ENDPOINT.read(&request)?;
    for _ in 0..TRIES_MAX {
        let Some(endpoint) = context.store.webhook_endpoint(&caller.tenant, &id).await? else {
            return if context.store.webhook_endpoint_was_deleted(&caller.tenant, &id).await? {
                Ok(Response::no_content())
            } else {
                Err(WEBHOOK_ENDPOINT.not_found())
            };
        };
        if context.store.delete_webhook_endpoint(&endpoint, context.now()).await? == Committed::Done {
            return Ok(Response::no_content());
        }
    }
    Err(Problem::unavailable("the endpoint's status moves too often"))
}
