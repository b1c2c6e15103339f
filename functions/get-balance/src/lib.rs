//! `GET /v1/balance`: the exact balance in each of the merchant's currencies.

use std::collections::BTreeMap;
use std::sync::Arc;

use spillway_domain::api_key::Scope;
use spillway_domain::balance::{Balance, Reading};
use spillway_domain::currency::Currency;
use spillway_domain::ledger::Movement;
use spillway_domain::money::OutOfRange;
use spillway_domain::time::Day;
use spillway_platform::api::{Caller, Problem, Request, Response, view};
use spillway_platform::runtime::Context;

/// More than one fold between the two reads, so often in a row, is a store that is too slow.
const TRIES: u32 = 5;

type Balances = BTreeMap<Currency, Balance>;

/// Reads balances, movements and balances again, until no more than one fold came in between. What was committed
/// before the request began is in the answer, and nothing is in it twice.
pub async fn handle(context: Arc<Context>, request: Request) -> Result<Response, Problem> {
    let caller = Caller::of(&request, context.now())?;
    caller.may(Scope::BalanceRead)?;
    let tenant = &caller.tenant;

    let mut first: Balances = context.store.balances(tenant).await?.into_iter().collect();
    for _ in 0..TRIES {
        let movements = context.store.movements(tenant, caller.shards.largest()).await?;
        let second: Balances = context.store.balances(tenant).await?.into_iter().collect();
        let now = context.now();
        if let Some(readings) = read(&caller.currencies, &first, &movements, &second, now.day())? {
            return Ok(Response::ok(&view::balance(tenant.mode, now, readings)).never_cached());
        }
        first = second;
    }
    Err(Problem::unavailable("the balance moved during every read"))
}

/// The readings of all currencies that the merchant has, or ever had money in. None: read again.
fn read(
    enabled: &[Currency], first: &Balances, movements: &[Movement], second: &Balances, today: Day,
) -> Result<Option<Vec<(Currency, Reading)>>, OutOfRange> {
    let mut by_currency: BTreeMap<Currency, Vec<Movement>> = BTreeMap::new();
    for currency in enabled.iter().chain(second.keys()) {
        by_currency.entry(*currency).or_default();
    }
    for movement in movements {
        by_currency.entry(movement.key.currency).or_default().push(movement.clone());
    }
    let none = Balance::default();
    let mut readings = Vec::with_capacity(by_currency.len());
    for (currency, movements) in by_currency {
        let balance_in = |balances: &Balances| balances.get(&currency).unwrap_or(&none).clone();
        match Balance::read(&balance_in(first), &movements, &balance_in(second), today)? {
            Some(reading) => readings.push((currency, reading)),
            None => return Ok(None),
        }
    }
    Ok(Some(readings))
}
