//! The accounts of the ledger, and a table of the accounts that each type of entry debits and credits.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// An account of the ledger. Each merchant has one `Merchant` account per mode and currency. The others belong to the
/// platform.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Account {
    /// A liability: money owed to the merchant, with value dates.
    Merchant,
    /// An asset: money that the processor owes for captures.
    ProcessorReceivable,
    /// Income from fees.
    FeeIncome,
    /// A liability: money taken from merchants for refunds that the processor has not confirmed yet.
    RefundsPayable,
    /// An account of a newer version of this code. It is read and preserved, but never posted to.
    #[serde(untagged)]
    Other(String),
}

/// The type of a journal entry.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum EntryType {
    /// Money taken from a customer.
    Capture,
    /// Money taken from the merchant for a refund.
    Refund,
    /// Money that the processor has given back for a refund.
    RefundSent,
    /// Money returned to the merchant, because the processor refused a refund.
    RefundFailed,
    /// A type of a newer version of this code. It is read and shown, but never posted.
    #[serde(untagged)]
    #[schemars(skip)]
    Other(String),
}

/// The accounts that entries of one type may use.
pub(super) struct Rule {
    entry_type: EntryType,
    /// Accounts that these entries may debit.
    pub(super) debits: &'static [Account],
    /// Accounts that these entries may credit.
    pub(super) credits: &'static [Account],
}

/// The rule of every type of entry. An entry with another posting can't be made.
const RULES: &[Rule] = &[
    rule(EntryType::Capture, &[Account::ProcessorReceivable], &[Account::Merchant, Account::FeeIncome]),
    rule(EntryType::Refund, &[Account::Merchant], &[Account::RefundsPayable]),
    rule(EntryType::RefundSent, &[Account::RefundsPayable], &[Account::ProcessorReceivable]),
    rule(EntryType::RefundFailed, &[Account::RefundsPayable], &[Account::Merchant]),
];

const fn rule(entry_type: EntryType, debits: &'static [Account], credits: &'static [Account]) -> Rule {
    Rule { entry_type, debits, credits }
}

/// Accounts that collect fees from the merchant.
pub(super) const FEES: &[Account] = &[Account::FeeIncome];

impl EntryType {
    /// The rule of this type. None if this version does not post entries of the type.
    pub(super) fn rule(&self) -> Option<&'static Rule> {
        RULES.iter().find(|rule| rule.entry_type == *self)
    }
}
