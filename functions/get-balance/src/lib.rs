//! `GET /v1/balance`: the exact balance in each of the merchant's currencies.

mod part_read;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use futures::{StreamExt as _, TryStreamExt as _, stream};
use lambda_http::Request;
use spillway_domain::api_key::Scope;
use spillway_domain::balance::{Balance, Inexact, Reading, parts};
use spillway_domain::currency::Currency;
use spillway_domain::time::Day;
use spillway_runtime::{Context, Metric, SettingError, Start};
use spillway_store::Store;
use spillway_wire::contract::{Access, Endpoint, Limit, Success};
use spillway_wire::view::{self, BalanceView};
use spillway_wire::{ApiResponseExt as _, Caller, Problem, Response};

use part_read::{Allowance, Balances, PartRead, Unread};

/// The declaration of the endpoint.
pub const ENDPOINT: Endpoint<BalanceView> = Endpoint {
    summary: "Get the balance",
    description: "The exact balance in each of the merchant's currencies. It includes everything that was committed \
                  before the request began. An amount is `pending` until its value date, and `available` from then \
                  on.\n\nIf stored data of a balance can't be read, its `available` and `pending` are `null`, and it \
                  has an `error`; the other currencies are exact. If a balance changes during every try to read it, \
                  or if very many payments are not added to it yet, the answer is 503.\n\nThe `ETag` stays the same \
                  while `balances` does. With `If-None-Match`, a 304 says that you have the exact balance already.",
    limit: Limit::Balance,
    ..Endpoint::get("/v1/balance", Access::Reads(Scope::BalanceRead), Success::ok("The balance in every currency."))
};

/// Parts that are read at the same time. Each reads four shards at the same time.
const PARTS_AT_ONCE: usize = 8;

/// The store, and the most movements of one request: more take longer than the function has.
pub struct Parts {
    store: Store,
    movements_max: u32,
}

impl spillway_runtime::Parts for Parts {
    fn new(start: &Start<'_>) -> Result<Parts, SettingError> {
        Ok(Parts { store: Store::new(start)?, movements_max: start.environment.number("BALANCE_MOVEMENTS_MAX")? })
    }
}

/// The readings by currency code. A stored balance may have a currency that this version does not know.
type Readings = BTreeMap<String, Result<Reading, Inexact>>;

/// Reads every part of the balances exactly, several at the same time. The answer includes everything that was committed
/// before the request began, exactly once. A currency with an item that can't be read has an error; the other currencies
/// are exact. Answers 503 if a part changes during every try, or if more than `BALANCE_MOVEMENTS_MAX` movements wait
/// to be folded.
pub async fn handle(context: Arc<Context<Parts>>, caller: Caller, _: Request) -> Result<Response, Problem> {
    let (tenant, shards) = (&caller.tenant, caller.shards.largest());
    let left = Allowance::of(context.movements_max);
    // Read before everything else: until now it may have contained movements of the other parts' shards.
    let first = context.store.balances(tenant, 0).await?;
    let read = |part| PartRead::exact(&context.store, tenant, part, shards, (part == 0).then_some(&first), &left);
    let reads: Vec<_> = (0..parts(shards)).map(read).collect();
    let read: Result<Vec<PartRead>, Unread> = stream::iter(reads).buffer_unordered(PARTS_AT_ONCE).try_collect().await;
    let now = context.now();
    let readings = match read {
        Ok(parts) => readings(&caller.currencies, &first, parts, now.day()),
        Err(Unread::Store(error)) => return Err(error.into()),
        Err(Unread::Moved) => return Err(Problem::unavailable("a balance changed during every try")),
        Err(Unread::TooMany) => {
            context.metrics.add(Metric::BalancesBehind, 1);
            return Err(Problem::unavailable(format!("more than {} movements are not folded", context.movements_max)));
        }
    };
    for (currency, why) in readings.iter().filter_map(|(currency, reading)| Some((currency, reading.err()?))) {
        tracing::error!(target: "spillway", currency, %why, "a balance is not exact");
    }
    let view = view::balance(tenant.mode, now, readings);
    Ok(Response::ok(&view).with_tag_of(&view.balances).never_cached())
}

/// The readings of all currencies that are enabled, or that have a stored balance or movement. `first` is the first part
/// as it was read before all others.
fn readings(enabled: &[Currency], first: &Balances, parts: Vec<PartRead>, today: Day) -> Readings {
    let mut readings: Readings = enabled.iter().map(|currency| (currency.to_string(), Ok(Reading::ZERO))).collect();
    let mut unreadable = BTreeSet::new();
    for mut part in parts {
        let in_first = |currency| first.items.iter().find(|(of, _)| *of == currency);
        for (currency, read) in part.by_currency() {
            let elsewhere = in_first(currency).map_or(&[][..], |(_, balance)| balance.folding.as_slice());
            let reading = Balance::read(&read.balances, &read.movements, elsewhere, today);
            let sum = readings.entry(currency.to_string()).or_insert(Ok(Reading::ZERO));
            *sum = (*sum).and_then(|sum| sum.plus(reading?));
        }
        unreadable.extend(part.unreadable);
    }
    // An item that can't be read may hold any amount, so the sum of the others is not the balance.
    readings.extend(unreadable.into_iter().map(|currency| (currency, Err(Inexact::Unreadable))));
    readings
}
