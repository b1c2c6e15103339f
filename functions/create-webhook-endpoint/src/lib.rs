//! `POST /v1/webhook-endpoints`: where a merchant wants its events.

use std::sync::Arc;

use spillway_domain::api_key::Scope;
use spillway_domain::id::{EndpointId, EndpointKind};
use spillway_domain::tenant::Mode;
use spillway_domain::webhook::{ENDPOINTS_MAX, Endpoint, EndpointStatus, EventFilter};
use spillway_platform::api::{Caller, Fields, Json, Problem, Request, Response, view};
use spillway_platform::runtime::Context;
use spillway_platform::store::Created;
use spillway_platform::webhook::{URL_LENGTH_MAX, check_url, new_secret};

const FILTERS_MAX: usize = 20;

/// Stores the endpoint and answers 201 with its signing secret. Sent again with the same idempotency key, the answer
/// is the same.
pub async fn handle(context: Arc<Context>, request: Request) -> Result<Response, Problem> {
    let now = context.now();
    let caller = Caller::of(&request, now)?;
    caller.may(Scope::WebhooksWrite)?;
    let key = request.optional_idempotency_key()?;
    let body = request.json()?;
    let fingerprint = body.fingerprint();
    let (url, event_types) = parse(body, context.settings.webhook_loopback && caller.tenant.mode == Mode::Test)?;

    let id: EndpointId = match &key {
        Some(key) => key.id_for::<EndpointKind>(&caller.tenant, "webhook_endpoint", ""),
        None => EndpointId::derive(&[&request.request_id, &new_secret(context.random())]),
    };
    let endpoint = Endpoint {
        id,
        tenant: caller.tenant,
        url,
        event_types,
        secret: new_secret(context.random()),
        status: EndpointStatus::Enabled,
        failing_since: None,
        version: 1,
        fingerprint,
        request_id: request.request_id.clone(),
        created_at: now,
    };
    match context.store.create_webhook_endpoint(&endpoint).await? {
        Some(Created::New) => Ok(created(&request, &endpoint, false)),
        Some(Created::Existing(first)) if first.fingerprint == endpoint.fingerprint => {
            let replayed = first.request_id != endpoint.request_id;
            Ok(created(&request, &first, replayed))
        }
        Some(Created::Existing(_)) => Err(Problem::idempotency_key_reused()),
        None => Err(Problem::too_many_webhook_endpoints(ENDPOINTS_MAX)),
    }
}

fn created(request: &Request, endpoint: &Endpoint, replayed: bool) -> Response {
    Response::created(&view::created_webhook_endpoint(endpoint), request.location(endpoint.id.as_str()))
        .with_version(view::etag(1))
        .never_cached()
        .replayed(replayed)
        .about(endpoint.id.as_str())
}

fn parse(body: Json, loopback: bool) -> Result<(String, Vec<EventFilter>), Problem> {
    let mut fields = Fields::of(body);
    let url = fields.text("url", URL_LENGTH_MAX).and_then(|url| match check_url(&url, loopback) {
        Ok(parsed) => Some(parsed.to_string()),
        Err(why) => fields.fault("url", why.to_string()),
    });
    let expected = "must be \"*\", a resource such as \"payment.*\", or an event such as \"payment.succeeded\"";
    let filters = fields.list("event_types", FILTERS_MAX, expected, EventFilter::parse);
    let faults = fields.finish();
    match (url, filters) {
        (Some(url), Some(filters)) if faults.is_empty() => Ok((url, filters)),
        _ => Err(Problem::invalid_request(faults)),
    }
}
