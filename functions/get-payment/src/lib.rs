//! `GET /v1/payments/{payment_id}`: a payment as it is now.

use std::sync::Arc;

use lambda_http::Request;
use spillway_domain::api_key::Scope;
use spillway_domain::id::PaymentId;
use spillway_domain::payment::Status;
use spillway_platform::api::{ApiRequestExt as _, ApiResponseExt as _, Caller, Problem, Response, view};
use spillway_platform::runtime::Context;

/// Answers with the payment, or 304 if the client has this version. A malformed, a missing and a foreign id get the
/// same 404.
pub async fn handle(context: Arc<Context>, request: Request) -> Result<Response, Problem> {
    let caller = Caller::of(&request, context.now())?;
    caller.may(Scope::PaymentsRead)?;
    let id = PaymentId::parse(request.path_parameter("payment_id")).map_err(|_| Problem::not_found("payment"))?;

    let payment = context.store.payment(&caller.tenant, &id).await?.ok_or_else(|| Problem::not_found("payment"))?;

    let response = Response::ok(&view::payment(&payment)).about(id.as_str());
    let response = match payment.status {
        Status::Failed => response.final_for_this_client(),
        // A succeeded payment can still be refunded or disputed.
        Status::Processing | Status::Succeeded => response,
    };
    Ok(response.at_version(payment.version, &request))
}
