//! Journal entries as merchants see them: what changed their balance.

use serde::Serialize;
use spillway_domain::currency::Currency;
use spillway_domain::ledger::{EntryType, JournalEntry};
use spillway_domain::money::{Minor, OutOfRange};
use spillway_domain::time::{Day, Timestamp};

/// The wire shape of a journal entry. The platform's accounts are not in it.
#[derive(Debug, Serialize)]
pub struct BalanceTransactionView<'a> {
    id: &'a str,
    object: &'static str,
    #[serde(rename = "type")]
    entry_type: &'a EntryType,
    currency: Currency,
    amount: Minor,
    fee: Minor,
    net: Minor,
    source: &'a str,
    available_on: Day,
    created_at: Timestamp,
}

/// The wire shape of a journal entry. Errors if its legs overflow.
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
