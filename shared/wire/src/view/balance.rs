//! The view of balances.

use schemars::JsonSchema;
use serde::Serialize;
use spillway_domain::balance::{Inexact, Reading};
use spillway_domain::money::Minor;
use spillway_domain::tenant::Mode;
use spillway_domain::time::Timestamp;

use super::schema::{CurrencyCode, SignedAmount, Time};

/// The balances of a merchant in one mode.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Balance")]
pub struct BalanceView {
    /// Always `balance`.
    #[schemars(extend("const" = "balance"))]
    object: &'static str,
    /// Whether the balances are of test or of live data.
    mode: Mode,
    /// The time at which the balances were read.
    #[schemars(with = "Time")]
    as_of: Timestamp,
    /// One balance for each currency that the merchant accepts or has ever had money in.
    pub balances: Vec<CurrencyBalance>,
}

/// The balance in one currency. If it can't be computed, its amounts are `null`.
#[derive(Debug, Serialize, JsonSchema)]
pub struct CurrencyBalance {
    /// The ISO 4217 code.
    #[schemars(with = "CurrencyCode")]
    currency: String,
    /// Minor units whose value date has come. `null` if stored data can't be read.
    #[schemars(with = "Option<SignedAmount>")]
    available: Option<Minor>,
    /// Minor units whose value date is in the future. `null` if stored data can't be read.
    #[schemars(with = "Option<SignedAmount>")]
    pending: Option<Minor>,
    /// Why the amounts are `null`. Missing unless they are.
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<BalanceError>,
}

/// Why a balance is unknown.
#[derive(Debug, Serialize, JsonSchema)]
struct BalanceError {
    /// The reason for programs: `internal_error`, as in problems.
    code: &'static str,
    /// The reason for people.
    detail: &'static str,
}

/// The view of readings at `as_of`, each with its currency code.
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

/// The error of a balance that can't be computed. Its code is that of a 500.
const UNREADABLE: BalanceError =
    BalanceError { code: "internal_error", detail: "Something failed on our side: this balance can't be computed." };
