//! Balances as merchants see them.

use serde::Serialize;
use spillway_domain::balance::Reading;
use spillway_domain::currency::Currency;
use spillway_domain::money::Minor;
use spillway_domain::tenant::Mode;
use spillway_domain::time::Timestamp;

/// The wire shape of a tenant's balances.
#[derive(Debug, Serialize)]
pub struct BalanceView {
    object: &'static str,
    mode: Mode,
    as_of: Timestamp,
    balances: Vec<CurrencyBalance>,
}

#[derive(Debug, Serialize)]
struct CurrencyBalance {
    currency: Currency,
    available: Minor,
    pending: Minor,
}

/// The wire shape of readings taken at `as_of`.
pub fn balance(mode: Mode, as_of: Timestamp, readings: Vec<(Currency, Reading)>) -> BalanceView {
    let balances = readings.into_iter().map(|(currency, reading)| CurrencyBalance {
        currency,
        available: reading.available,
        pending: reading.pending,
    });
    BalanceView { object: "balance", mode, as_of, balances: balances.collect() }
}
