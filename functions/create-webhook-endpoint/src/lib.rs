//! `POST /v1/webhook-endpoints`: creates a webhook endpoint.

use std::sync::Arc;

use lambda_http::Request;
use spillway_domain::api_key::Scope;
use spillway_domain::id::EndpointKind;
use spillway_domain::resource::{Cause, Meta};
use spillway_domain::webhook::{EventFilter, WebhookEndpoint};
use spillway_store::{Committed, NotCreated};
use spillway_webhooks::{Addresses, EVENT_TYPES, EndpointParts, URL, new_secret};
use spillway_wire::contract::{Access, Endpoint, ProblemType, Success, problem_types};
use spillway_wire::view::{self, WebhookEndpointView};
use spillway_wire::{ApiRequestExt as _, ApiResponseExt as _, Caller, Fields, Problem, Response};

const WEBHOOK_ENDPOINT_DELETED: ProblemType = ProblemType {
    status: 409,
    code: "webhook_endpoint_deleted",
    title: "Webhook endpoint deleted",
    remedy: "Use a new `Idempotency-Key` for a new endpoint.",
};

/// The declaration.
pub const ENDPOINT: Endpoint<WebhookEndpointView<'static>> = Endpoint {
    summary: "Create a webhook endpoint",
    description: "Has events posted to a server of yours. The answer shows the secret that signs them: keep it, because \
                  only the answers to this request show it.\n\nSent again with the same `Idempotency-Key` and the same \
                  body, the answer has the newest secret and shows the endpoint as it is now.\n\nA merchant may have 20 \
                  enabled endpoints, and 100 with the disabled ones, in each mode.",
    body: &[URL.spec(), EVENT_TYPES.spec()],
    problems: &[
        problem_types::TOO_MANY_ENABLED_WEBHOOK_ENDPOINTS,
        problem_types::TOO_MANY_WEBHOOK_ENDPOINTS,
        WEBHOOK_ENDPOINT_DELETED,
    ],
    ..Endpoint::post(
        "/v1/webhook-endpoints",
        Access::Starts(Scope::WebhooksWrite),
        Success::created("The endpoint gets events from now on.").with_etag(),
    )
};

type Context = spillway_runtime::Context<EndpointParts>;

/// Stores the endpoint and answers 201 with its signing secret. Sent again with the same idempotency key, the answer
/// has the newest secret and shows the endpoint as it is now.
pub async fn handle(context: Arc<Context>, caller: Caller, request: Request) -> Result<Response, Problem> {
    let key = request.idempotency_key()?;
    let body = request.json()?;
    let fingerprint = body.fingerprint();
    let (url, event_types) = parse(ENDPOINT.fields(body), context.addresses, &caller)?;

    let id = key.id_for::<EndpointKind>(&caller.tenant, "webhook_endpoint", "");
    let cause = Cause { request_id: request.request_id().to_owned(), fingerprint, at: context.now() };
    // Endpoints are few: their events are all on the first shard.
    let meta = Meta::new(id, caller.tenant, 0, cause);
    let endpoint = WebhookEndpoint::new(meta, url, event_types, new_secret(context.random()));

    match context.store.create_webhook_endpoint(&endpoint).await? {
        Committed::Done => Ok(created(&request, &endpoint, false)),
        Committed::Refused(NotCreated::Existing(first)) if first.meta.fingerprint == endpoint.meta.fingerprint => {
            let replayed = first.meta.request_id != endpoint.meta.request_id;
            Ok(created(&request, &first, replayed))
        }
        Committed::Refused(NotCreated::Existing(_)) => Err(Problem::idempotency_key_reused()),
        Committed::Refused(NotCreated::Deleted) => Err(Problem::new(
            &WEBHOOK_ENDPOINT_DELETED,
            "The endpoint that this Idempotency-TableKey made was deleted.",
        )),
        Committed::Refused(NotCreated::Limit(limit)) => Err(Problem::too_many_webhook_endpoints(limit)),
    }
}

fn created(request: &Request, endpoint: &WebhookEndpoint, replayed: bool) -> Response {
    let shown = view::webhook_endpoint_with(endpoint.secrets.first(), endpoint);
    Response::created(&shown, request.location(endpoint.meta.id.as_str()))
        .with_version(view::etag(endpoint.meta.version))
        .never_cached()
        .replayed(replayed)
        .about(endpoint.meta.id.as_str())
}

fn parse(mut fields: Fields, addresses: Addresses, caller: &Caller) -> Result<(String, Vec<EventFilter>), Problem> {
    let url = addresses.read(&URL, caller.tenant.mode, &mut fields);
    let filters = EVENT_TYPES.read(&mut fields, EventFilter::parse);
    let faults = fields.finish();
    match (url, filters) {
        (Some(url), Some(filters)) if faults.is_empty() => Ok((url, filters)),
        _ => Err(Problem::invalid_request(faults)),
    }
}
