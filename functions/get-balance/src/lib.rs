//! `GET /v1/balance`: the exact balance in each of the merchant's currencies.

use std::collections::BTreeMap;
use std::sync::Arc;

use lambda_http::Request;
use spillway_domain::api_key::Scope;
use spillway_domain::balance::{Balance, Inexact, Reading, part_of};
use spillway_domain::currency::Currency;
use spillway_domain::ledger::Movement;
use spillway_domain::time::Day;
use spillway_runtime::Context;
use spillway_store::{BalancePart, Readable, StoreOnly};
use spillway_wire::contract::{Access, Endpoint, Success};
use spillway_wire::view::{self, BalanceView};
use spillway_wire::{ApiResponseExt as _, Caller, Problem, Response};

/// The declaration of the endpoint.
pub const ENDPOINT: Endpoint<BalanceView> = Endpoint {
    summary: "Get the balance",
    description: "The exact balance in each of the merchant's currencies. It includes everything that was committed \
                  before the request began. An amount is `pending` until its value date, and `available` from then \
                  on.\n\nIf stored data of a balance can't be read, its `available` and `pending` are `null`, and it \
                  has an `error`; the other currencies are exact. If a balance changes during every try to read it, \
                  the answer is 503.",
    ..Endpoint::get("/v1/balance", Access::Reads(Scope::BalanceRead), Success::ok("The balance in every currency."))
};

/// Tries when a balance is folded more than once between the two reads.
const TRIES_MAX: u32 = 5;

type Balances = Readable<BalancePart>;
/// The readings by currency code. A stored balance may have a currency that this version does not know.
type Readings = BTreeMap<String, Result<Reading, Inexact>>;

/// Reads balances, movements, and balances again, until at most one fold came in between. The answer includes
/// everything that was committed before the request began, exactly once. A currency with an item that can't be read has
/// an error; the other currencies are exact. Answers 503 if a balance changes during every try.
pub async fn handle(context: Arc<Context<StoreOnly>>, caller: Caller, _: Request) -> Result<Response, Problem> {
    let (tenant, shards) = (&caller.tenant, caller.shards.largest());

    let mut first = context.store.balances(tenant, shards).await?;
    for _ in 0..TRIES_MAX {
        let movements = context.store.movements(tenant, shards).await?;
        let second = context.store.balances(tenant, shards).await?;
        let now = context.now();
        let readings = read(&caller.currencies, &first, &movements, &second, now.day());
        if readings.values().all(|reading| *reading != Err(Inexact::Moved)) {
            for (currency, why) in readings.iter().filter_map(|(currency, reading)| Some((currency, reading.err()?))) {
                tracing::error!(target: "spillway", currency, %why, "a balance is not exact");
            }
            return Ok(Response::ok(&view::balance(tenant.mode, now, readings)).never_cached());
        }
        first = second;
    }
    Err(Problem::unavailable("a balance changed during every try"))
}

/// The readings of all currencies that are enabled, or that have a stored balance or movement.
fn read(
    enabled: &[Currency], first: &Balances, movements: &Readable<Movement>, second: &Balances, today: Day,
) -> Readings {
    let mut parts: BTreeMap<(Currency, u16), Vec<Movement>> = BTreeMap::new();
    let enabled = enabled.iter().map(|currency| (*currency, 0));
    for part in enabled.chain(second.items.iter().map(|(part, _)| *part)) {
        parts.entry(part).or_default();
    }
    for movement in &movements.items {
        let part = (movement.key.currency, part_of(movement.key.entry.shard()));
        parts.entry(part).or_default().push(movement.clone());
    }
    let [first_of, second_of] = [first, second].map(|balances| balances.items.iter().cloned().collect());
    let mut readings = Readings::new();
    for (part, movements) in parts {
        let of = |balances: &BTreeMap<_, Balance>| balances.get(&part).cloned().unwrap_or(Balance::EMPTY);
        let reading = Balance::read(&of(&first_of), &movements, &of(&second_of), today);
        let sum = readings.entry(part.0.to_string()).or_insert(Ok(Reading::ZERO));
        *sum = (*sum).and_then(|sum| sum.plus(reading?));
    }
    // An item that can't be read may hold any amount, so the sum of the others is not the balance.
    let unreadable = [&first.unreadable, &movements.unreadable, &second.unreadable].into_iter().flatten();
    readings.extend(unreadable.map(|currency| (currency.clone(), Err(Inexact::Unreadable))));
    readings
}
