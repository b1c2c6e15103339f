//! `GET /v1/payments/{payment_id}`: a payment as it is now.

use std::sync::Arc;

use lambda_http::Request;
use spillway_cache::CachedStore;
use spillway_domain::api_key::Scope;
use spillway_domain::id::PaymentKind;
use spillway_domain::payment::Payment;
use spillway_runtime::Context;
use spillway_wire::contract::{Access, Endpoint, PathId, Success};
use spillway_wire::view::PaymentView;
use spillway_wire::{Caller, Problem, Response};

const PAYMENT: PathId<PaymentKind> = PathId::new("payment_id", "payment");

/// The declaration of the endpoint.
pub const ENDPOINT: Endpoint<PaymentView<'static>> = Endpoint {
    summary: "Get a payment",
    description: "A payment as it is now. The status `processing` becomes `succeeded` or `failed`, usually within seconds.",
    path_ids: &[PAYMENT.spec()],
    ..Endpoint::get("/v1/payments/{payment_id}", Access::Reads(Scope::PaymentsRead), Success::ok("The payment."))
};

/// Answers with the payment. A malformed id, a missing payment and another tenant's payment get the same 404.
pub async fn handle(context: Arc<Context<CachedStore>>, caller: Caller, request: Request) -> Result<Response, Problem> {
    let id = PAYMENT.read(&request)?;

    let payment: Option<Payment> = context.resource(&caller.tenant, &id).await?;
    let payment = payment.ok_or_else(|| PAYMENT.not_found())?;

    Ok(spillway_wire::resource(&payment))
}
