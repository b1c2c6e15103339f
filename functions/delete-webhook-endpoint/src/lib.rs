//! `DELETE /v1/webhook-endpoints/{endpoint_id}`: deletes a webhook endpoint.

use std::sync::Arc;

use lambda_http::Request;
use spillway_domain::api_key::Scope;
use spillway_domain::id::EndpointKind;
use spillway_runtime::Context;
use spillway_store::{Committed, StoreOnly};
use spillway_wire::contract::{Access, Endpoint, PathId, Success};
use spillway_wire::{ApiResponseExt as _, Caller, Problem, Response};

const WEBHOOK_ENDPOINT: PathId<EndpointKind> = PathId::new("endpoint_id", "webhook endpoint");
/// Tries when concurrent requests change the endpoint.
const TRIES_MAX: u32 = 5;

/// The declaration of the endpoint.
pub const ENDPOINT: Endpoint<()> = Endpoint {
    summary: "Delete a webhook endpoint",
    description: "Deletes the endpoint. No more events are delivered to it, but an attempt that is under way may still \
                  arrive. With `If-Match`, which versions from 2026-12-01 on require, the endpoint is deleted only if \
                  it has this version. If you send the request again within 30 days, you get the same answer.",
    path_ids: &[WEBHOOK_ENDPOINT.spec()],
    ..Endpoint::delete(
        "/v1/webhook-endpoints/{endpoint_id}",
        Access::Starts(Scope::WebhooksWrite),
        Success::no_content("The webhook endpoint is deleted."),
    )
};

/// Deletes the endpoint and answers 204. The answer is the same if the endpoint was deleted in the last 30 days.
pub async fn handle(context: Arc<Context<StoreOnly>>, caller: Caller, request: Request) -> Result<Response, Problem> {
    let if_match = ENDPOINT.if_match(&request)?;
    let id = WEBHOOK_ENDPOINT.read(&request)?;
    for _ in 0..TRIES_MAX {
        let Some(endpoint) = context.store.deletable_webhook_endpoint(&caller.tenant, &id).await? else {
            return if context.store.webhook_endpoint_was_deleted(&caller.tenant, &id).await? {
                Ok(Response::no_content())
            } else {
                Err(WEBHOOK_ENDPOINT.not_found())
            };
        };
        if_match.check(endpoint.version().unwrap_or_default())?;
        let deleted = context.store.delete_webhook_endpoint(&caller.tenant, &id, endpoint, context.now()).await?;
        if deleted == Committed::Done {
            return Ok(Response::no_content());
        }
    }
    Err(Problem::unavailable("the endpoint changed during every try"))
}
