//! `POST /v1/webhook-endpoints`: creates a webhook endpoint.

use std::sync::Arc;

use lambda_http::Request;
use spillway_domain::api_key::Scope;
use spillway_domain::id::EndpointKind;
use spillway_domain::resource::{Cause, Meta};
use spillway_domain::webhook::{ENDPOINTS_MAX, EventFilter, WebhookEndpoint};
use spillway_runtime::{SettingError, Start};
use spillway_store::{Committed, NotCreated};
use spillway_webhooks::{Addresses, EVENT_TYPES, EndpointParts, KeyError, SigningKeys, URL};
use spillway_wire::contract::{Access, Endpoint, ProblemType, Success, problem_types};
use spillway_wire::view::{self, WebhookEndpointView};
use spillway_wire::{ApiRequestExt as _, ApiResponseExt as _, Caller, Fields, Problem, Response};

const TOO_MANY_WEBHOOK_ENDPOINTS: ProblemType = ProblemType {
    status: 409,
    code: "too_many_webhook_endpoints",
    title: "Too many webhook endpoints",
    remedy: "Delete an endpoint that is no longer needed.",
};
const WEBHOOK_ENDPOINT_DELETED: ProblemType = ProblemType {
    status: 409,
    code: "webhook_endpoint_deleted",
    title: "Webhook endpoint deleted",
    remedy: "Use a new `Idempotency-Key` for a new endpoint.",
};

/// The declaration of the endpoint.
pub const ENDPOINT: Endpoint<WebhookEndpointView<'static>> = Endpoint {
    summary: "Create a webhook endpoint",
    description: "Registers a server of yours to which events are posted. The answer shows the secret that signs them. \
                  Store it, because only the answers to this request show it.\n\nIf you send the request again with \
                  the same `Idempotency-Key` and the same body, the answer shows the endpoint as it is now, with its \
                  newest secret.\n\nIn each mode, a merchant can have 20 enabled endpoints, and 100 endpoints in all.",
    body: &[URL.spec(), EVENT_TYPES.spec()],
    problems: &[
        problem_types::TOO_MANY_ENABLED_WEBHOOK_ENDPOINTS,
        TOO_MANY_WEBHOOK_ENDPOINTS,
        WEBHOOK_ENDPOINT_DELETED,
    ],
    ..Endpoint::post(
        "/v1/webhook-endpoints",
        Access::Starts(Scope::WebhooksWrite),
        Success::created("The endpoint is stored, and gets all later events.").with_etag(),
    )
};

/// The store, the check of addresses and the signing keys.
pub struct Parts {
    endpoints: EndpointParts,
    keys: SigningKeys,
}

impl spillway_runtime::Parts for Parts {
    fn new(start: &Start<'_>) -> Result<Parts, SettingError> {
        Ok(Parts { endpoints: EndpointParts::new(start)?, keys: SigningKeys::new(start)? })
    }
}

type Context = spillway_runtime::Context<Parts>;

/// Stores the endpoint and answers 201 with its signing secret. A repeated request with the same idempotency key is
/// answered with the endpoint as it is now, and its newest secret.
pub async fn handle(context: Arc<Context>, caller: Caller, request: Request) -> Result<Response, Problem> {
    let key = request.idempotency_key()?;
    let body = request.json()?;
    let fingerprint = body.fingerprint();
    let (url, event_types) = parse(ENDPOINT.fields(body), context.endpoints.addresses, &caller)?;

    let now = context.now();
    let id = key.id_for::<EndpointKind>(&caller.tenant, "webhook_endpoint", "");
    let cause = Cause { request_id: request.request_id().to_owned(), trace: request.trace(), fingerprint, at: now };
    // A merchant has few endpoints, so events about them all use shard 0.
    let meta = Meta::new(id, caller.tenant, 0, cause);
    let endpoint = WebhookEndpoint::new(meta, url, event_types, context.keys.current(now).await?);

    let problem = match context.endpoints.store.create_webhook_endpoint(&endpoint).await {
        Ok(Committed::Done) => return Ok(created(&context, &request, &endpoint, false).await?),
        Ok(Committed::Refused(NotCreated::Existing(first))) if first.meta.fingerprint == endpoint.meta.fingerprint => {
            let replayed = first.meta.request_id != endpoint.meta.request_id;
            return Ok(created(&context, &request, &first, replayed).await?);
        }
        Ok(Committed::Refused(NotCreated::Existing(_))) => Problem::idempotency_key_reused(),
        Ok(Committed::Refused(NotCreated::Deleted)) => Problem::new(
            &WEBHOOK_ENDPOINT_DELETED,
            "The endpoint that was created with this Idempotency-Key was deleted.",
        ),
        Ok(Committed::Refused(NotCreated::TooManyEnabled)) => Problem::too_many_enabled_webhook_endpoints(),
        Ok(Committed::Refused(NotCreated::TooMany)) => Problem::new(
            &TOO_MANY_WEBHOOK_ENDPOINTS,
            &format!(
                "There are {ENDPOINTS_MAX} webhook endpoints already, disabled ones included. No more are allowed."
            ),
        ),
        Err(error) => error.into(),
    };
    Err(problem.about(endpoint.meta.id.as_str()))
}

async fn created(
    context: &Context, request: &Request, endpoint: &WebhookEndpoint, replayed: bool,
) -> Result<Response, KeyError> {
    let secret = context.keys.newest(endpoint, context.now()).await?;
    let shown = view::webhook_endpoint_with(&secret, endpoint);
    let answer = Response::created(&shown, request.location(endpoint.meta.id.as_str()))
        .with_version(view::etag(endpoint.meta.version))
        .never_cached()
        .replayed(replayed)
        .about(endpoint.meta.id.as_str());
    Ok(answer)
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
