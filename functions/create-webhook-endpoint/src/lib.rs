//! `POST /v1/webhook-endpoints`: where a merchant wants its events.

use std::sync::Arc;

use lambda_http::Request;
use spillway_domain::api_key::Scope;
use spillway_domain::id::EndpointKind;
use spillway_domain::resource::{Cause, Meta};
use spillway_domain::tenant::Mode;
use spillway_domain::webhook::{Endpoint, EndpointStatus, EventFilter, Secret};
use spillway_platform::api::contract::{
    Access, Endpoint as Declared, Field, List, Success, Text, event_filters, problem_types,
};
use spillway_platform::api::view::{self, WebhookEndpointView};
use spillway_platform::api::{ApiRequestExt as _, ApiResponseExt as _, Caller, Json, Problem, Response};
use spillway_platform::runtime::{self, SettingError, Start, settings};
use spillway_platform::store::{Created, Store};
use spillway_platform::webhook::{URL_LENGTH_MAX, check_url, new_secret};

const URL: Field<Text> = Field::text(
    "url",
    URL_LENGTH_MAX,
    "Where to post events: an `https` address of a public host, without user and password.",
    "\"https://shop.example.com/hook\"",
)
.of_format("uri");
const EVENT_TYPES: Field<List> = Field::list(
    "event_types",
    20,
    "must be \"*\", a resource such as \"payment.*\", or an event such as \"payment.succeeded\"",
    event_filters,
    "Which events to post: all (`*`), those of a resource (`payment.*`), or single ones.",
    "[\"payment.*\"]",
);

/// The declaration.
pub const ENDPOINT: Declared<WebhookEndpointView<'static>> = Declared {
    summary: "Create a webhook endpoint",
    description: "Has events posted to a server of yours. The answer shows the secret that signs them: keep it, because \
                  only the answers to this request show it.\n\nSent again with the same `Idempotency-Key` and the same \
                  body, the answer has the same secret and shows the endpoint as it is now.\n\nA merchant may have 20 \
                  enabled endpoints, and 100 with the disabled ones, in each mode.",
    body: &[URL.spec(), EVENT_TYPES.spec()],
    problems: &[problem_types::TOO_MANY_ENABLED_WEBHOOK_ENDPOINTS, problem_types::TOO_MANY_WEBHOOK_ENDPOINTS],
    ..Declared::post(
        "/v1/webhook-endpoints",
        Access::Starts(Scope::WebhooksWrite),
        Success::created("The endpoint gets events from now on.").with_etag(),
    )
};

/// The store, and which addresses are allowed.
pub struct Parts {
    store: Store,
    loopback_in_test: bool,
}

impl runtime::Parts for Parts {
    fn new(start: &Start<'_>) -> Result<Parts, SettingError> {
        let loopback_in_test = settings::webhook_loopback(&start.environment)?;
        Ok(Parts { store: Store::new(start)?, loopback_in_test })
    }
}

type Context = runtime::Context<Parts>;

/// Stores the endpoint and answers 201 with its signing secret. Sent again with the same idempotency key, the answer
/// has the same secret and shows the endpoint as it is now.
pub async fn handle(context: Arc<Context>, caller: Caller, request: Request) -> Result<Response, Problem> {
    let now = context.now();
    let key = request.idempotency_key()?;
    let body = request.json()?;
    let fingerprint = body.fingerprint();
    let (url, event_types) = parse(body, context.loopback_in_test && caller.tenant.mode == Mode::Test)?;

    let id = key.id_for::<EndpointKind>(&caller.tenant, "webhook_endpoint", "");
    let cause = Cause { request_id: request.request_id().to_owned(), fingerprint, at: now };
    let endpoint = Endpoint {
        // Endpoints are few: their events are all on the first shard.
        meta: Meta::new(id, caller.tenant, 0, cause),
        url,
        event_types,
        secrets: vec![Secret { generation: 1, text: new_secret(context.random()), until: None }],
        status: EndpointStatus::Enabled,
        failing_since: None,
        probe_at: None,
        works_since: None,
    };
    match context.store.create_webhook_endpoint(&endpoint).await? {
        Ok(Created::New) => Ok(created(&request, &endpoint, false)),
        Ok(Created::Existing(first)) if first.meta.fingerprint == endpoint.meta.fingerprint => {
            let replayed = first.meta.request_id != endpoint.meta.request_id;
            Ok(created(&request, &first, replayed))
        }
        Ok(Created::Existing(_)) => Err(Problem::idempotency_key_reused()),
        Err(limit) => Err(Problem::too_many_webhook_endpoints(limit)),
    }
}

fn created(request: &Request, endpoint: &Endpoint, replayed: bool) -> Response {
    Response::created(&view::created_webhook_endpoint(endpoint), request.location(endpoint.meta.id.as_str()))
        .with_version(view::etag(endpoint.meta.version))
        .never_cached()
        .replayed(replayed)
        .about(endpoint.meta.id.as_str())
}

fn parse(body: Json, loopback: bool) -> Result<(String, Vec<EventFilter>), Problem> {
    let mut fields = ENDPOINT.fields(body);
    let url = URL.read(&mut fields).and_then(|url| match check_url(&url, loopback) {
        Ok(parsed) => Some(parsed.to_string()),
        Err(why) => fields.fault(URL.name, why.to_string()),
    });
    let filters = EVENT_TYPES.read(&mut fields, EventFilter::parse);
    let faults = fields.finish();
    match (url, filters) {
        (Some(url), Some(filters)) if faults.is_empty() => Ok((url, filters)),
        _ => Err(Problem::invalid_request(faults)),
    }
}
