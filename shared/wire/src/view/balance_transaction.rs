//! The view of journal entries: changes of a merchant's balance.

use schemars::JsonSchema;
use serde::Serialize;
use spillway_domain::currency::Currency;
use spillway_domain::id::EntryKind;
use spillway_domain::ledger::{EntryType, JournalEntry};
use spillway_domain::money::{Minor, OutOfRange};
use spillway_domain::time::{Day, Timestamp};

use super::schema::{CurrencyCode, Date, IdOf, SignedAmount, Time};

/// A change of the merchant's balance.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "BalanceTransaction")]
pub struct BalanceTransactionView<'a> {
    /// The id. Ids sort by time.
    #[schemars(with = "IdOf<EntryKind>")]
    id: &'a str,
    /// Always `balance_transaction`.
    #[schemars(extend("const" = "balance_transaction"))]
    object: &'static str,
    /// The type of the change.
    #[serde(rename = "type")]
    entry_type: &'a EntryType,
    /// The ISO 4217 code.
    #[schemars(with = "CurrencyCode")]
    currency: Currency,
    /// Minor units before the fee.
    #[schemars(with = "SignedAmount")]
    amount: Minor,
    /// Minor units of the fee.
    #[schemars(with = "SignedAmount")]
    fee: Minor,
    /// Minor units by which the balance changed: the amount minus the fee.
    #[schemars(with = "SignedAmount")]
    net: Minor,
    /// The id of the object that caused the change.
    source: &'a str,
    /// The value date (UTC). Before it the amount is pending.
    #[schemars(with = "Date")]
    available_on: Day,
    /// The time of the change.
    #[schemars(with = "Time")]
    created_at: Timestamp,
}

/// The view of a journal entry. Errors if the sums of its postings overflow.
pub fn balance_transaction(entry: &JournalEntry) -> Result<BalanceTransactionView<'_>, OutOfRange> {
    Ok(BalanceTransactionView {
        id: entry.id.as_str(),
        object: "balance_transaction",
        entry_type: &entry.entry_type,
        currency: entry.currency,
        amount: entry.amount()?,
        fee: entry.fee()?,
        net: entry.net()?,
        source: entry.source.as_str(),
        available_on: entry.available_on,
        created_at: entry.created_at,
    })
}
