//! `GET /v1/balance/transactions`: what changed the merchant's balance, newest first.

use std::sync::Arc;

use lambda_http::Request;
use spillway_domain::api_key::Scope;
use spillway_domain::money::OutOfRange;
use spillway_platform::api::{ApiResponseExt as _, Caller, ListQuery, Parameters, Problem, Response, view};
use spillway_platform::runtime::Context;

/// Answers with a page of the journal as the merchant sees it, and the cursor of the next if there is one.
pub async fn handle(context: Arc<Context>, request: Request, query: Parameters) -> Result<Response, Problem> {
    let caller = Caller::of(&request, context.now())?;
    caller.may(Scope::BalanceRead)?;
    let mut query = ListQuery::of(query, &caller.tenant, "balance/transactions");
    let currency = query.currency();
    let page = query.finish()?;

    let shards = caller.shards.largest();
    let entries = context.store.journal_entries(&caller.tenant, shards, &page.asked, currency).await?;

    let next_cursor = entries.next.map(|position| page.cursor(position));
    let shown: Result<Vec<_>, OutOfRange> = entries.items.iter().map(view::balance_transaction).collect();
    Ok(Response::ok(&view::list(shown.map_err(|error| Problem::internal_error(error.to_string()))?, next_cursor)))
}
