//! `PATCH /v1/webhook-endpoints/{endpoint_id}`: changes the address, the event types or the status of an endpoint.

use std::sync::Arc;

use lambda_http::Request;
use spillway_domain::api_key::Scope;
use spillway_domain::id::EndpointKind;
use spillway_domain::webhook::{EndpointEdit, EndpointStatus, EventFilter, WebhookEndpoint};
use spillway_store::{Committed, NotUpdated};
use spillway_webhooks::{Addresses, EndpointParts};
use spillway_wire::contract::{Access, Endpoint, Field, List, OneOf, PathId, Success, Text, problem_types};
use spillway_wire::view::{self, WebhookEndpointView};
use spillway_wire::{ApiRequestExt as _, ApiResponseExt as _, Caller, Fields, Problem, Response};

const WEBHOOK_ENDPOINT: PathId<EndpointKind> = PathId::new("endpoint_id", "webhook endpoint");
/// Tries when concurrent requests change the endpoint.
const TRIES_MAX: u32 = 5;
const URL: Field<Text> = spillway_webhooks::URL.optional();
const EVENT_TYPES: Field<List> = spillway_webhooks::EVENT_TYPES.optional();
const STATUS: Field<OneOf<EndpointStatus>> = Field::one_of(
    "status",
    "`disabled`: no events are delivered to the endpoint. `enabled`: later events are delivered to it.",
    "\"enabled\"",
);

/// The declaration of the endpoint.
pub const ENDPOINT: Endpoint<WebhookEndpointView<'static>> = Endpoint {
    summary: "Change a webhook endpoint",
    description: "Changes the fields that the body contains. If the request changes `url` or enables the endpoint \
                  again, the endpoint counts as working, and its pending events are sent at once. A pending event \
                  whose type is no longer among the `event_types` is given up.\n\nIf the endpoint already has the \
                  values in the body, the answer shows it, with any `If-Match`. So you can send the same request \
                  again.",
    path_ids: &[WEBHOOK_ENDPOINT.spec()],
    body: &[URL.spec(), EVENT_TYPES.spec(), STATUS.spec()],
    problems: &[problem_types::TOO_MANY_ENABLED_WEBHOOK_ENDPOINTS],
    ..Endpoint::patch(
        "/v1/webhook-endpoints/{endpoint_id}",
        Access::Starts(Scope::WebhooksWrite),
        Success::ok("The webhook endpoint as it is now.").with_etag(),
    )
};

type Context = spillway_runtime::Context<EndpointParts>;

/// Changes the endpoint if it has a version in `If-Match`, and answers with the changed endpoint. The write requires the
/// version that was compared, so no other change is overwritten.
pub async fn handle(context: Arc<Context>, caller: Caller, request: Request) -> Result<Response, Problem> {
    let if_match = ENDPOINT.if_match(&request)?;
    let edit = parse(ENDPOINT.fields(request.json()?), context.addresses, &caller)?;
    let id = WEBHOOK_ENDPOINT.read(&request)?;
    for _ in 0..TRIES_MAX {
        let found = context.store.webhook_endpoint(&caller.tenant, &id).await?;
        let before = found.ok_or_else(|| WEBHOOK_ENDPOINT.not_found())?;
        // The same request may have made this change before, and its answer was lost.
        let Some(after) = before.edited(edit.clone(), context.now()) else { return Ok(shown(&before)) };
        if_match.check(before.meta.version)?;

        match context.store.update_webhook_endpoint(&before, &after).await? {
            Committed::Done => return Ok(shown(&after)),
            Committed::Refused(NotUpdated::Stale) => {}
            Committed::Refused(NotUpdated::TooManyEnabled) => {
                return Err(Problem::too_many_enabled_webhook_endpoints());
            }
        }
    }
    Err(Problem::unavailable("the endpoint changed during every try"))
}

fn shown(endpoint: &WebhookEndpoint) -> Response {
    Response::ok(&view::webhook_endpoint(endpoint))
        .with_version(view::etag(endpoint.meta.version))
        .about(endpoint.meta.id.as_str())
}

fn parse(mut fields: Fields, addresses: Addresses, caller: &Caller) -> Result<EndpointEdit, Problem> {
    let url = addresses.read(&URL, caller.tenant.mode, &mut fields);
    let event_types = EVENT_TYPES.read(&mut fields, EventFilter::parse);
    let status = STATUS.read(&mut fields);
    match fields.finish() {
        none if none.is_empty() => Ok(EndpointEdit { url, event_types, status }),
        faults => Err(Problem::invalid_request(faults)),
    }
}
