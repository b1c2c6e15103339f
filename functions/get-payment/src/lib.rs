//! `GET /v1/payments/{payment_id}`: a payment as it is now.

use std::sync::Arc;

use spillway_domain::api_key::Scope;
use spillway_domain::id::PaymentKind;
use spillway_domain::payment::Status;
use spillway_platform::api::contract::{Access, Endpoint, PathId, Success};
use spillway_platform::api::view::{self, PaymentView};
use spillway_platform::api::{Caller, Problem, Request, Response};
use spillway_platform::runtime::Context;

const PAYMENT: PathId<PaymentKind> = PathId::new("payment_id", "payment");

/// The declaration.
pub const ENDPOINT: Endpoint<PaymentView<'static>> = Endpoint {
    summary: "Get a payment",
    description: "A payment as it is now. `processing` ends in `succeeded` or `failed`, mostly within seconds.",
    path_ids: &[PAYMENT.spec()],
    ..Endpoint::get(
        "/v1/payments/{payment_id}",
        Access::Reads(Scope::PaymentsRead),
        Success::ok("The payment.").with_etag(),
    )
};

/// Answers with the payment, or 304 if the client has this version. A malformed, a missing and a foreign id get the
/// same 404.
pub async fn handle(context: Arc<Context>, caller: Caller, request: Request) -> Result<Response, Problem> {
    let id = PAYMENT.read(&request)?;

    let payment = context.store.payment(&caller.tenant, &id).await?.ok_or_else(|| PAYMENT.not_found())?;

    let response = Response::ok(&view::payment(&payment)).about(id.as_str());
    let response = match payment.status {
        Status::Failed => response.final_for_this_client(),
        // A succeeded payment can still be refunded or disputed.
        Status::Processing | Status::Succeeded => response,
    };
    Ok(response.at_version(payment.version, &request))
}
