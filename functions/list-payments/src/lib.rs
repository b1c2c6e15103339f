//! `GET /v1/payments`: the merchant's payments, newest first.

use std::sync::Arc;

use lambda_http::Request;
use spillway_domain::api_key::Scope;
use spillway_domain::page::Filter;
use spillway_domain::payment::{Payment, Status};
use spillway_platform::api::contract::{
    self, Access, CREATED_BEFORE, CREATED_FROM, CURRENCY, CURSOR, Endpoint, LIMIT, Success,
};
use spillway_platform::api::view::{self, ListView, PaymentView};
use spillway_platform::api::{ApiResponseExt as _, Caller, ListQuery, Parameters, Problem, Response};
use spillway_platform::runtime::Context;
use spillway_platform::store::Listed;

const STATUS: contract::Filter<Status> = contract::Filter::one_of("status", "Only payments with this status.");

/// The declaration.
pub const ENDPOINT: Endpoint<ListView<PaymentView<'static>>> = Endpoint {
    summary: "List payments",
    description: "The payments, newest first.",
    query: Some(&[LIMIT, CURSOR, STATUS.spec(), CURRENCY, CREATED_FROM, CREATED_BEFORE]),
    ..Endpoint::get("/v1/payments", Access::Reads(Scope::PaymentsRead), Success::ok("A page of payments."))
};

/// Answers with a page of payments, and the cursor of the next if there is one. A suspended merchant may read.
pub async fn handle(context: Arc<Context>, caller: Caller, _: Request, query: Parameters) -> Result<Response, Problem> {
    let mut query = ListQuery::of(query, &caller.tenant, &ENDPOINT);
    let status = query.one_of(&STATUS);
    let filter = Filter { status, currency: query.currency() };
    let page = query.finish()?;

    let (shards, passes) =
        (caller.shards.largest(), |payment: &Payment| filter.passes(&payment.status, payment.asked.currency));
    let payments =
        context.store.resources(&caller.tenant, &Listed::All, shards, &page.asked, filter.is_open(), passes).await?;

    let next_cursor = payments.next.map(|position| page.cursor(position));
    Ok(Response::ok(&view::list(payments.items.iter().map(view::payment), next_cursor)))
}
