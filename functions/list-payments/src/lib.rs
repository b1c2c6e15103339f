//! `GET /v1/payments`: the merchant's payments, newest first.

use std::sync::Arc;

use lambda_http::Request;
use spillway_domain::api_key::Scope;
use spillway_domain::payment::{CUSTOMER_LENGTH_MAX, Payment, REFERENCE_LENGTH_MAX, Status};
use spillway_domain::resource::Finder;
use spillway_runtime::Context;
use spillway_store::{Listed, StoreOnly};
use spillway_wire::contract::{
    Access, CREATED_BEFORE, CREATED_FROM, CURRENCY, CURSOR, Endpoint, Filter, LIMIT, Success, TextFilter,
};
use spillway_wire::view::{self, ListView, PaymentView};
use spillway_wire::{ApiResponseExt as _, Caller, ListQuery, Parameters, Problem, Response};

const STATUS: Filter<Status> = Filter::one_of("status", "Only payments with this status.");
const REFERENCE: TextFilter =
    TextFilter::new("reference", REFERENCE_LENGTH_MAX, "Only payments with exactly this `reference`.");
const CUSTOMER: TextFilter =
    TextFilter::new("customer", CUSTOMER_LENGTH_MAX, "Only payments with exactly this `customer`.");

/// The declaration of the endpoint.
pub const ENDPOINT: Endpoint<ListView<PaymentView<'static>>> = Endpoint {
    summary: "List payments",
    description: "The payments, newest first.",
    query: Some(&[
        LIMIT,
        CURSOR,
        STATUS.spec(),
        CURRENCY,
        REFERENCE.spec(),
        CUSTOMER.spec(),
        CREATED_FROM,
        CREATED_BEFORE,
    ]),
    ..Endpoint::list("/v1/payments", Access::Reads(Scope::PaymentsRead), Success::ok("A page of payments."))
};

/// Answers with a page of payments, and the cursor of the next page, if any.
pub async fn handle(
    context: Arc<Context<StoreOnly>>, caller: Caller, _: Request, query: Parameters,
) -> Result<Response, Problem> {
    let mut query = ListQuery::of(query, &caller.tenant, &ENDPOINT);
    let (status, currency) = (query.one_of(&STATUS), query.currency());
    let (reference, customer) = (query.text(&REFERENCE), query.text(&CUSTOMER));
    let page = query.finish()?;

    // At most one index is read. A reference usually has fewer payments than a customer.
    let listed = match (&reference, &customer) {
        (Some(reference), _) => Listed::FoundBy(Finder::Reference, reference),
        (None, Some(customer)) => Listed::FoundBy(Finder::Customer, customer),
        (None, None) => Listed::All,
    };
    let everything = status.is_none() && currency.is_none() && (reference.is_none() || customer.is_none());
    let has = |wanted: &Option<String>, value: &Option<String>| wanted.is_none() || wanted == value;
    let passes = |payment: &Payment| {
        let asked = &payment.asked;
        status.is_none_or(|status| status == payment.status)
            && currency.is_none_or(|currency| currency == asked.currency)
            && has(&reference, &asked.reference)
            && has(&customer, &asked.customer)
    };
    let shards = caller.shards.largest();
    let payments = context.store.resources(&caller.tenant, &listed, shards, &page.request, everything, passes).await?;

    let next_cursor = payments.next.map(|position| page.cursor(position));
    Ok(Response::ok(&view::list(payments.items.iter().map(view::payment), next_cursor)))
}
