//! The accounts of the ledger, and the one table of what each type of entry posts to them.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// An account of the ledger. The merchant's is one per merchant, mode and currency; the others are the platform's.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Account {
    /// What is owed to the merchant: a liability, value-dated.
    Merchant,
    /// What the processor owes for captures.
    ProcessorReceivable,
    /// What was earned by fees.
    FeeIncome,
    /// What was taken from merchants for refunds that the processor has not confirmed yet.
    RefundsPayable,
    /// An account that only a newer version of this code posts to. It is read and carried, never posted to.
    #[serde(untagged)]
    Other(String),
}

/// What an entry records.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum EntryType {
    /// Money taken from a customer.
    Capture,
    /// Money taken from the merchant for a refund.
    Refund,
    /// The processor has given a refund's money back.
    RefundSent,
    /// The processor refused a refund: its money is the merchant's again.
    RefundFailed,
    /// A type that only a newer version of this code posts. It is read and shown, never posted.
    #[serde(untagged)]
    #[schemars(skip)]
    Other(String),
}

/// What entries of one type post.
pub(super) struct Rule {
    entry_type: EntryType,
    /// The accounts that it debits.
    pub(super) debits: &'static [Account],
    /// The accounts that it credits.
    pub(super) credits: &'static [Account],
}

/// Every type of entry, with the accounts that it debits and credits. An entry that posts anything else can't be made.
const RULES: &[Rule] = &[
    rule(EntryType::Capture, &[Account::ProcessorReceivable], &[Account::Merchant, Account::FeeIncome]),
    rule(EntryType::Refund, &[Account::Merchant], &[Account::RefundsPayable]),
    rule(EntryType::RefundSent, &[Account::RefundsPayable], &[Account::ProcessorReceivable]),
    rule(EntryType::RefundFailed, &[Account::RefundsPayable], &[Account::Merchant]),
];

const fn rule(entry_type: EntryType, debits: &'static [Account], credits: &'static [Account]) -> Rule {
    Rule { entry_type, debits, credits }
}

/// Accounts whose credits are what the merchant pays for the service.
pub(super) const FEES: &[Account] = &[Account::FeeIncome];

impl EntryType {
    /// What entries of this type post. None if this version does not post them.
    pub(super) fn rule(&self) -> Option<&'static Rule> {
        RULES.iter().find(|rule| rule.entry_type == *self)
    }
}
