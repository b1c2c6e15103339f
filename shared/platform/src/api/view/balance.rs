//! Balances as merchants see them.

use serde::Serialize;
use spillway_domain::balance::{Inexact, Reading};
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

/// One currency's balance. If it is not known, its amounts are null: a missing currency would read as 0.
#[derive(Debug, Serialize)]
struct CurrencyBalance {
    currency: String,
    available: Option<Minor>,
    pending: Option<Minor>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<BalanceError>,
}

#[derive(Debug, Serialize)]
struct BalanceError {
    code: &'static str,
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
        error: reading.err().map(error),
    });
    BalanceView { object: "balance", mode, as_of, balances: balances.collect() }
}

/// The codes are those of the problems 503 and 500.
fn error(inexact: Inexact) -> BalanceError {
    match inexact {
        Inexact::Moved => BalanceError {
            code: "unavailable",
            detail: "This balance moved while it was read. The same request may be sent again.",
        },
        Inexact::Unreadable | Inexact::OutOfRange(_) => BalanceError {
            code: "internal_error",
            detail: "Something failed on our side: this balance can't be told exactly.",
        },
    }
}
