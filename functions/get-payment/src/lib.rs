//! `GET /v1/payments/{payment_id}`: a payment as it is now.

use std::sync::Arc;

use lambda_http::Request;
use spillway_domain::api_key::Scope;
use spillway_domain::id::PaymentId;
use spillway_domain::payment::Payment;
use spillway_platform::api::{self, ApiRequestExt as _, Caller, Problem, Response};
use spillway_platform::runtime::Context;

/// Answers with the payment, or 304 if the client has this version. A malformed, a missing and a foreign id get the
/// same 404.
pub async fn handle(context: Arc<Context>, request: Request) -> Result<Response, Problem> {
    let caller = Caller::of(&request, context.now())?;
    caller.may(Scope::PaymentsRead)?;
    let id = PaymentId::parse(request.path_parameter("payment_id")).map_err(|_| Problem::not_found("payment"))?;

    let payment: Option<Payment> = context.store.resource(&caller.tenant, &id).await?;
    let payment = payment.ok_or_else(|| Problem::not_found("payment"))?;

    Ok(api::resource(&payment, &request))
}
