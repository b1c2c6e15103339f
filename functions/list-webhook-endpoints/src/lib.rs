//! `GET /v1/webhook-endpoints`: the webhook endpoints of a merchant, newest first.

use std::sync::Arc;

use lambda_http::Request;
use spillway_domain::api_key::Scope;
use spillway_domain::page::Page;
use spillway_domain::webhook::EndpointStatus;
use spillway_runtime::Context;
use spillway_store::StoreOnly;
use spillway_wire::contract::{Access, CREATED_BEFORE, CREATED_FROM, CURSOR, Endpoint, Filter, LIMIT, Success};
use spillway_wire::view::{self, ListView, WebhookEndpointView};
use spillway_wire::{ApiResponseExt as _, Caller, ListQuery, Parameters, Problem, Response};

const STATUS: Filter<EndpointStatus> = Filter::one_of("status", "Only endpoints with this status.");

/// The declaration of the endpoint.
pub const ENDPOINT: Endpoint<ListView<WebhookEndpointView<'static>>> = Endpoint {
    summary: "List webhook endpoints",
    description: "The merchant's webhook endpoints, newest first, without their secrets.",
    query: Some(&[LIMIT, CURSOR, STATUS.spec(), CREATED_FROM, CREATED_BEFORE]),
    ..Endpoint::list(
        "/v1/webhook-endpoints",
        Access::Reads(Scope::WebhooksWrite),
        Success::ok("A page of webhook endpoints."),
    )
};

/// Answers with a page of endpoints, and the cursor of the next page, if any. It reads all endpoints strongly, because
/// they are few.
pub async fn handle(
    context: Arc<Context<StoreOnly>>, caller: Caller, _: Request, query: Parameters,
) -> Result<Response, Problem> {
    let mut query = ListQuery::of(query, &caller.tenant, &ENDPOINT);
    let status = query.one_of(&STATUS);
    let page = query.finish()?;

    let all = context.store.webhook_endpoints(&caller.tenant).await?.items;
    let listed = all.into_iter().filter(|endpoint| status.is_none_or(|status| endpoint.status == status));
    let endpoints = Page::of(listed.map(|endpoint| (endpoint.meta.position(), endpoint)), &page.request);

    let next_cursor = endpoints.next.map(|position| page.cursor(position));
    Ok(Response::ok(&view::list(endpoints.items.iter().map(view::webhook_endpoint), next_cursor)))
}
