//! `GET /v1/payments`: the merchant's payments, newest first.

use std::sync::Arc;

use lambda_http::Request;
use spillway_domain::api_key::Scope;
use spillway_domain::page::Filter;
use spillway_domain::payment::{Payment, Status};
use spillway_platform::api::{ApiResponseExt as _, Caller, ListQuery, Parameters, Problem, Response, view};
use spillway_platform::runtime::Context;
use spillway_platform::store::Listed;

/// Answers with a page of payments, and the cursor of the next if there is one. A suspended merchant may read.
pub async fn handle(context: Arc<Context>, request: Request, query: Parameters) -> Result<Response, Problem> {
    let caller = Caller::of(&request, context.now())?;
    caller.may(Scope::PaymentsRead)?;
    let mut query = ListQuery::of(query, &caller.tenant, "payments");
    let status = query.one_of("status", Status::ALL);
    let filter = Filter { status, currency: query.currency() };
    let page = query.finish()?;

    let (shards, passes) =
        (caller.shards.largest(), |payment: &Payment| filter.passes(&payment.status, payment.asked.currency));
    let payments =
        context.store.resources(&caller.tenant, &Listed::All, shards, &page.asked, filter.is_open(), passes).await?;

    let next_cursor = payments.next.map(|position| page.cursor(position));
    Ok(Response::ok(&view::list(payments.items.iter().map(view::payment), next_cursor)))
}
