//! `GET /v1/balance/transactions`: the changes of the merchant's balance, newest first.

use std::sync::Arc;

use lambda_http::Request;
use spillway_domain::api_key::Scope;
use spillway_domain::money::OutOfRange;
use spillway_runtime::Context;
use spillway_store::StoreOnly;
use spillway_wire::contract::{Access, CREATED_BEFORE, CREATED_FROM, CURRENCY, CURSOR, Endpoint, LIMIT, Success};
use spillway_wire::view::{self, BalanceTransactionView, ListView};
use spillway_wire::{ApiResponseExt as _, Caller, ListQuery, Parameters, Problem, Response};

/// The declaration of the endpoint.
pub const ENDPOINT: Endpoint<ListView<BalanceTransactionView<'static>>> = Endpoint {
    summary: "List balance transactions",
    description: "The changes of the balance, newest first, each with amount, fee, net and value date.",
    query: Some(&[LIMIT, CURSOR, CURRENCY, CREATED_FROM, CREATED_BEFORE]),
    ..Endpoint::list(
        "/v1/balance/transactions",
        Access::Reads(Scope::BalanceRead),
        Success::ok("A page of balance transactions."),
    )
};

/// Answers with a page of journal entries in the form that merchants see, and the cursor of the next page, if any.
pub async fn handle(
    context: Arc<Context<StoreOnly>>, caller: Caller, _: Request, query: Parameters,
) -> Result<Response, Problem> {
    let mut query = ListQuery::of(query, &caller.tenant, &ENDPOINT);
    let currency = query.currency();
    let page = query.finish()?;

    let shards = caller.shards.largest();
    let entries = context.store.journal_entries(&caller.tenant, shards, &page.request, currency).await?;

    let next_cursor = entries.next.map(|position| page.cursor(position));
    let shown: Result<Vec<_>, OutOfRange> = entries.items.iter().map(view::balance_transaction).collect();
    Ok(Response::ok(&view::list(shown.map_err(|error| Problem::internal_error(error.to_string()))?, next_cursor)))
}
