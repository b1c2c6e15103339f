//! `POST /v1/webhook-endpoints/{endpoint_id}/test`: posts a test event to this endpoint only.

use std::sync::Arc;

use lambda_http::Request;
use spillway_domain::api_key::Scope;
use spillway_domain::id::EndpointKind;
use spillway_domain::webhook::{EndpointStatus, LastTest};
use spillway_store::{StoreWithEvents, StoredEvent};
use spillway_wire::contract::{Access, Endpoint, PathId, ProblemType, Success, problem_types};
use spillway_wire::view::EventView;
use spillway_wire::{ApiRequestExt as _, ApiResponseExt as _, Caller, Problem, Response};

const WEBHOOK_ENDPOINT: PathId<EndpointKind> = PathId::new("endpoint_id", "webhook endpoint");
/// Tries when concurrent requests change the endpoint.
const TRIES_MAX: u32 = 5;
const WEBHOOK_ENDPOINT_DISABLED: ProblemType = ProblemType {
    status: 409,
    code: "webhook_endpoint_disabled",
    title: "Webhook endpoint disabled",
    remedy: "Enable the endpoint first.",
};

/// The declaration of the endpoint.
pub const ENDPOINT: Endpoint<EventView<'static>> = Endpoint {
    summary: "Test a webhook endpoint",
    description: "Posts an event `webhook_endpoint.test` to this endpoint only, with any `event_types`. The event is \
                  signed and repeated like every event. If the endpoint is down, the event is posted at the next \
                  attempt.\n\nIf you send the request again with the `Idempotency-Key` of the endpoint's last test, \
                  the answer shows the event of that test, and no other event is posted.",
    path_ids: &[WEBHOOK_ENDPOINT.spec()],
    problems: &[WEBHOOK_ENDPOINT_DISABLED, problem_types::IDEMPOTENCY_KEY_REUSED],
    ..Endpoint::post(
        "/v1/webhook-endpoints/{endpoint_id}/test",
        Access::Starts(Scope::WebhooksWrite),
        Success::accepted("The event is stored. It will be posted.").without_location(),
    )
};

type Context = spillway_runtime::Context<StoreWithEvents>;

/// Stores the event and answers 202 with it. A repeated request with the same idempotency key gets the same event.
pub async fn handle(context: Arc<Context>, caller: Caller, request: Request) -> Result<Response, Problem> {
    let key = request.idempotency_key()?.hash();
    ENDPOINT.takes_nothing(&request)?;
    let id = WEBHOOK_ENDPOINT.read(&request)?;
    for _ in 0..TRIES_MAX {
        let found = context.store.webhook_endpoint(&caller.tenant, &id).await?;
        let endpoint = found.ok_or_else(|| WEBHOOK_ENDPOINT.not_found())?;
        if let Some(first) = endpoint.last_test.as_ref().filter(|first| first.key == key) {
            let event = context.store.event(&caller.tenant, &first.event).await?;
            return Ok(accepted(&event.ok_or_else(key_reused)?)?.replayed(true));
        }
        if endpoint.status == EndpointStatus::Disabled {
            return Err(Problem::new(
                &WEBHOOK_ENDPOINT_DISABLED,
                "The endpoint is disabled: no events are posted to it.",
            ));
        }

        let event = endpoint.test(&key, request.request_id(), request.trace(), context.now());
        let test = LastTest { key: key.clone(), event: event.id.clone() };
        if let Some(event) = context.store.test_webhook_endpoint(&endpoint, &test, &event).await? {
            return accepted(&event);
        }
    }
    Err(Problem::unavailable("the endpoint changed during every try"))
}

fn accepted(event: &StoredEvent) -> Result<Response, Problem> {
    Ok(Response::accepted_without_location(&event.view()?).about(event.id.as_str()))
}

fn key_reused() -> Problem {
    let detail =
        "This Idempotency-Key was used for a test whose event is no longer stored. Use a new key for a new test.";
    Problem::new(&problem_types::IDEMPOTENCY_KEY_REUSED, detail)
}
