//! Balances as merchants see them.

use schemars::JsonSchema;
use serde::Serialize;
use spillway_domain::balance::{Inexact, Reading};
use spillway_domain::money::Minor;
use spillway_domain::tenant::Mode;
use spillway_domain::time::Timestamp;

use super::schema::{CurrencyCode, SignedAmount, Time};

/// The wire shape of a tenant's balances.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Balance")]
pub struct BalanceView {
    /// Always `balance`.
    #[schemars(extend("const" = "balance"))]
    object: &'static str,
    /// Whether it is of test or of live data.
    mode: Mode,
    /// The time at which it was read.
    #[schemars(with = "Time")]
    as_of: Timestamp,
    /// One for each currency of the merchant, and each in which there ever was money.
    balances: Vec<CurrencyBalance>,
}

/// One currency's balance. If it is not known, its amounts are null: a missing currency would read as 0.
#[derive(Debug, Serialize, JsonSchema)]
struct CurrencyBalance {
    /// The ISO 4217 code.
    #[schemars(with = "CurrencyCode")]
    currency: String,
    /// Minor units whose value date has come. `null` if something stored can't be read.
    #[schemars(with = "Option<SignedAmount>")]
    available: Option<Minor>,
    /// Minor units whose value date is to come. `null` if something stored can't be read.
    #[schemars(with = "Option<SignedAmount>")]
    pending: Option<Minor>,
    /// Why the amounts are `null`. Missing if they are not.
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<BalanceError>,
}

/// Why a balance is not told.
#[derive(Debug, Serialize, JsonSchema)]
struct BalanceError {
    /// For programs: `internal_error`, as in problems.
    code: &'static str,
    /// For people.
    detail: &'static str,
}

/// The wire shape of readings taken at `as_of`, each with its currency's code.
pub fn balance(
    mode: Mode, as_of: Timestamp, readings: impl IntoIterator<Item = (String, Result<Reading, Inexact>)>,
) -> BalanceView {
    let balances = readings.into_iter().map(|(currency, reading)| CurrencyBalance {
        currency,
        available: reading.ok().map(|reading| reading.available),
        pending: reading.ok().map(|reading| reading.pending),
        error: reading.is_err().then_some(UNREADABLE),
    });
    BalanceView { object: "balance", mode, as_of, balances: balances.collect() }
}

/// The code is that of the problem 500.
const UNREADABLE: BalanceError = BalanceError {
    code: "internal_error",
    detail: "Something failed on our side: this balance can't be told exactly.",
};
