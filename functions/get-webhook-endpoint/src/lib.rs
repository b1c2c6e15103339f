//! `GET /v1/webhook-endpoints/{endpoint_id}`: a webhook endpoint as it is now.

use std::sync::Arc;

use lambda_http::Request;
use spillway_domain::api_key::Scope;
use spillway_domain::id::EndpointId;
use spillway_platform::api::{ApiRequestExt as _, ApiResponseExt as _, Caller, Problem, Response, view};
use spillway_platform::runtime::Context;

/// Answers with the endpoint, without its secret, or 304 if the client has this version. A malformed, a missing and a
/// foreign id get the same 404.
pub async fn handle(context: Arc<Context>, request: Request) -> Result<Response, Problem> {
    let caller = Caller::of(&request, context.now())?;
    caller.may_read(Scope::WebhooksWrite)?;
    let id =
        EndpointId::parse(request.path_parameter("endpoint_id")).map_err(|_| Problem::not_found("webhook endpoint"))?;

    let found = context.store.webhook_endpoint(&caller.tenant, &id).await?;
    let endpoint = found.ok_or_else(|| Problem::not_found("webhook endpoint"))?;

    let response = Response::ok(&view::webhook_endpoint(&endpoint)).about(id.as_str());
    Ok(response.at_version(endpoint.meta.version, &request))
}
