//! `GET /v1/refunds/{refund_id}`: a refund as it is now.

use std::sync::Arc;

use lambda_http::Request;
use spillway_cache::CachedStore;
use spillway_domain::api_key::Scope;
use spillway_domain::id::RefundKind;
use spillway_domain::refund::Refund;
use spillway_runtime::Context;
use spillway_wire::contract::{Access, Endpoint, PathId, Success};
use spillway_wire::view::RefundView;
use spillway_wire::{Caller, Problem, Response};

const REFUND: PathId<RefundKind> = PathId::new("refund_id", "refund");

/// The declaration of the endpoint.
pub const ENDPOINT: Endpoint<RefundView<'static>> = Endpoint {
    summary: "Get a refund",
    description: "A refund as it is now. The status `pending` becomes `succeeded` or `failed`, usually within seconds.",
    path_ids: &[REFUND.spec()],
    ..Endpoint::get("/v1/refunds/{refund_id}", Access::Reads(Scope::PaymentsRead), Success::ok("The refund."))
};

/// Answers with the refund. A malformed id, a missing refund and another tenant's refund get the same 404.
pub async fn handle(context: Arc<Context<CachedStore>>, caller: Caller, request: Request) -> Result<Response, Problem> {
    let id = REFUND.read(&request)?;

    let refund: Option<Refund> = context.resource(&caller.tenant, &id).await?;
    let refund = refund.ok_or_else(|| REFUND.not_found())?;

    Ok(spillway_wire::resource(&refund))
}
