//! `GET /v1/payments/{payment_id}/refunds`: the refunds of a payment, newest first.

use std::sync::Arc;

use lambda_http::Request;
use spillway_domain::api_key::Scope;
use spillway_domain::id::PaymentKind;
use spillway_domain::payment::Payment;
use spillway_domain::refund::{Refund, Status};
use spillway_runtime::Context;
use spillway_store::{Listed, StoreOnly};
use spillway_wire::contract::{Access, CREATED_BEFORE, CREATED_FROM, CURSOR, Endpoint, Filter, LIMIT, PathId, Success};
use spillway_wire::view::{self, ListView, RefundView};
use spillway_wire::{ApiResponseExt as _, Caller, ListQuery, Parameters, Problem, Response};

const PAYMENT: PathId<PaymentKind> = PathId::new("payment_id", "payment");
const STATUS: Filter<Status> = Filter::one_of("status", "Only refunds with this status.");

/// The declaration of the endpoint.
pub const ENDPOINT: Endpoint<ListView<RefundView<'static>>> = Endpoint {
    summary: "List the refunds of a payment",
    description: "The refunds of one payment, newest first.",
    path_ids: &[PAYMENT.spec()],
    query: Some(&[LIMIT, CURSOR, STATUS.spec(), CREATED_FROM, CREATED_BEFORE]),
    ..Endpoint::list(
        "/v1/payments/{payment_id}/refunds",
        Access::Reads(Scope::PaymentsRead),
        Success::ok("A page of refunds."),
    )
};

/// Answers with a page of refunds, and the cursor of the next page, if any.
pub async fn handle(
    context: Arc<Context<StoreOnly>>, caller: Caller, request: Request, query: Parameters,
) -> Result<Response, Problem> {
    let id = PAYMENT.read(&request)?;
    let mut query = ListQuery::under(query, &caller.tenant, &ENDPOINT, id.as_str());
    let status = query.one_of(&STATUS);
    let page = query.finish()?;
    let payment: Option<Payment> = context.store.resource(&caller.tenant, &id).await?;
    payment.ok_or_else(|| PAYMENT.not_found())?;

    let (parent, passes) = (id.into(), |refund: &Refund| status.is_none_or(|status| refund.status == status));
    let listed = Listed::Under(&parent);
    let refunds = context.store.resources(&caller.tenant, &listed, 1, &page.request, status.is_none(), passes).await?;

    let next_cursor = refunds.next.map(|position| page.cursor(position));
    Ok(Response::ok(&view::list(refunds.items.iter().map(view::refund), next_cursor)))
}
