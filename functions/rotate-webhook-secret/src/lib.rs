//! `POST /v1/webhook-endpoints/{endpoint_id}/rotate-secret`: adds a new signing secret. The old secret also signs for a
//! day.

use std::sync::Arc;

use lambda_http::Request;
use spillway_domain::api_key::Scope;
use spillway_domain::id::EndpointKind;
use spillway_domain::webhook::WebhookEndpoint;
use spillway_runtime::{SettingError, Start};
use spillway_store::{Committed, Store};
use spillway_webhooks::SigningKeys;
use spillway_wire::contract::{Access, Endpoint, IfMatchRule, PathId, Success, problem_types};
use spillway_wire::view::{self, WebhookEndpointView};
use spillway_wire::{ApiRequestExt as _, ApiResponseExt as _, Caller, Problem, Response};

const WEBHOOK_ENDPOINT: PathId<EndpointKind> = PathId::new("endpoint_id", "webhook endpoint");
/// Tries when concurrent requests change the endpoint.
const TRIES_MAX: u32 = 5;
/// The detail for an idempotency key whose secret has ended.
const ENDED: &str = "The secret that was created with this Idempotency-Key has ended. Use a new key for a new secret.";

/// The declaration of the endpoint.
pub const ENDPOINT: Endpoint<WebhookEndpointView<'static>> = Endpoint {
    summary: "Rotate the secret of a webhook endpoint",
    description: "Creates a new secret, which the answer shows. For 24 hours, the old secret signs events too: the \
                  header `webhook-signature` contains a signature by each secret, and a receiver needs to verify only \
                  one of them. At most three secrets sign at the same time. One more rotation ends the oldest \
                  secret.\n\nIf you send the request again with the same `Idempotency-Key`, the answer shows the \
                  secret that the first request created, as long as that secret signs. Do not use a key again later, \
                  because keys are forgotten some time after their secrets have ended.\n\nWith `If-Match`, the secret is \
                  created only if the endpoint has this version. So of two people who rotate at once, the second one \
                  learns of the first.",
    if_match: IfMatchRule::Optional,
    path_ids: &[WEBHOOK_ENDPOINT.spec()],
    problems: &[problem_types::IDEMPOTENCY_KEY_REUSED],
    ..Endpoint::post(
        "/v1/webhook-endpoints/{endpoint_id}/rotate-secret",
        Access::Starts(Scope::WebhooksWrite),
        Success::ok("The webhook endpoint with its new secret.").with_etag(),
    )
};

/// The store and the signing keys.
pub struct Parts {
    store: Store,
    keys: SigningKeys,
}

impl spillway_runtime::Parts for Parts {
    fn new(start: &Start<'_>) -> Result<Parts, SettingError> {
        Ok(Parts { store: Store::new(start)?, keys: SigningKeys::new(start)? })
    }
}

type Context = spillway_runtime::Context<Parts>;

/// Stores a new secret and answers with it, if the endpoint has a version in `If-Match`. A repeated request with the same idempotency key gets the same secret.
pub async fn handle(context: Arc<Context>, caller: Caller, request: Request) -> Result<Response, Problem> {
    let key = request.idempotency_key()?.hash();
    let if_match = ENDPOINT.if_match(&request)?;
    ENDPOINT.takes_nothing(&request)?;
    let id = WEBHOOK_ENDPOINT.read(&request)?;
    for _ in 0..TRIES_MAX {
        let found = context.store.webhook_endpoint(&caller.tenant, &id).await?;
        let before = found.ok_or_else(|| WEBHOOK_ENDPOINT.not_found())?;
        let now = context.now();
        match before.rotated_by(&key) {
            Some(secret) if secret.signs(now) => {
                let text = context.keys.text(&before, secret, now).await?;
                return Ok(shown(&before, &text).replayed(true));
            }
            // A secret that has ended must not be returned, because no event is signed by it.
            Some(_) => return Err(Problem::new(&problem_types::IDEMPOTENCY_KEY_REUSED, ENDED)),
            None => if_match.check(before.meta.version)?,
        }
        let after = before.rotated(context.keys.current(now).await?, key.clone(), now);
        let text = context.keys.newest(&after, now).await?;
        if context.store.update_webhook_endpoint(&before, &after).await? == Committed::Done {
            return Ok(shown(&after, &text));
        }
    }
    Err(Problem::unavailable("the endpoint changed during every try"))
}

fn shown(endpoint: &WebhookEndpoint, secret: &str) -> Response {
    Response::ok(&view::webhook_endpoint_with(secret, endpoint))
        .with_version(view::etag(endpoint.meta.version))
        .never_cached()
        .about(endpoint.meta.id.as_str())
}
