//! The double-entry ledger: journal entries that balance, and the movements of merchants' balances.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::currency::Currency;
use crate::id::{EntryId, PaymentId};
use crate::money::{Minor, OutOfRange};
use crate::time::{Day, Timestamp};

/// An account of the ledger. The merchant's is one per merchant, mode and currency; the others are the platform's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Account {
    /// What is owed to the merchant: a liability, value-dated.
    Merchant,
    /// What the processor owes for captures.
    ProcessorReceivable,
    /// What was earned by fees.
    FeeIncome,
}

/// The two sides of an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Side {
    /// Assets and costs grow.
    Debit,
    /// Liabilities and income grow.
    Credit,
}

/// One leg of an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Posting {
    /// Where.
    pub account: Account,
    /// On which side.
    pub side: Side,
    /// Minor units, above 0.
    pub amount: Minor,
}

/// What an entry records.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum EntryType {
    /// Money taken from a customer.
    Capture,
}

/// A journal entry: balanced, never changed, never deleted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct JournalEntry {
    /// Sorts by time, names its shard.
    pub id: EntryId,
    /// What it records.
    #[serde(rename = "type")]
    pub entry_type: EntryType,
    /// Of all legs.
    pub currency: Currency,
    /// The legs: debits equal credits.
    pub postings: Vec<Posting>,
    /// The whole amount, before the fee.
    pub amount: Minor,
    /// What the merchant paid for it.
    pub fee: Minor,
    /// What the merchant's account changed by.
    pub net: Minor,
    /// The day from which the merchant's leg counts as available.
    pub available_on: Day,
    /// The payment that caused it.
    pub source: PaymentId,
    /// The request that began it.
    pub request_id: String,
    /// When it was posted.
    pub created_at: Timestamp,
}

/// Why there is no such entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum LedgerError {
    /// An amount or a sum overflows.
    #[error(transparent)]
    OutOfRange(#[from] OutOfRange),
    /// The legs do not balance, or one is not above 0.
    #[error("the entry does not balance")]
    Unbalanced,
}

/// The postings of a capture: the processor owes the amount, the merchant is owed the net, the fee is earned.
/// A leg of nothing is left out.
pub fn capture_postings(amount: Minor, fee: Minor) -> Result<Vec<Posting>, LedgerError> {
    let net = amount.minus(fee)?;
    let legs = [
        Posting { account: Account::ProcessorReceivable, side: Side::Debit, amount },
        Posting { account: Account::Merchant, side: Side::Credit, amount: net },
        Posting { account: Account::FeeIncome, side: Side::Credit, amount: fee },
    ];
    balanced(legs.into_iter().filter(|leg| leg.amount != Minor::ZERO).collect())
}

/// Gives the postings back if debits equal credits and every leg is above 0.
fn balanced(postings: Vec<Posting>) -> Result<Vec<Posting>, LedgerError> {
    let total = |side| Minor::sum(postings.iter().filter(|leg| leg.side == side).map(|leg| leg.amount));
    let positive = postings.iter().all(|leg| leg.amount > Minor::ZERO);
    if positive && total(Side::Debit)? == total(Side::Credit)? { Ok(postings) } else { Err(LedgerError::Unbalanced) }
}

/// A signed change of a merchant's balance, written beside its journal entry and folded into the balance later.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Movement {
    /// Currency, value date and entry, of which its key is made.
    pub key: MovementKey,
    /// Minor units; negative takes from the merchant.
    pub amount: Minor,
}

/// Which movement: unique, because an entry makes at most one. Movements of one currency sort by value date.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MovementKey {
    /// Of the balance that it changes.
    pub currency: Currency,
    /// From this day on it counts as available.
    pub value_date: Day,
    /// The entry it belongs to, which names the shard too.
    pub entry: EntryId,
}

impl MovementKey {
    /// Reads `USD#2026-02-02#txn_…`.
    pub fn parse(text: &str) -> Option<MovementKey> {
        let mut parts = text.splitn(3, '#');
        Some(MovementKey {
            currency: Currency::parse(parts.next()?).ok()?,
            value_date: Day::parse(parts.next()?).ok()?,
            entry: EntryId::parse(parts.next()?).ok()?,
        })
    }
}

impl fmt::Display for MovementKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}#{}#{}", self.currency, self.value_date, self.entry)
    }
}

impl Serialize for MovementKey {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for MovementKey {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<MovementKey, D::Error> {
        let text = String::deserialize(deserializer)?;
        MovementKey::parse(&text).ok_or_else(|| serde::de::Error::custom("not the key of a movement"))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn leg(account: Account, side: Side, amount: i64) -> Posting {
        Posting { account, side, amount: Minor::new(amount) }
    }

    #[test]
    fn a_capture_of_10000_with_a_fee_of_320() {
        assert_eq!(
            capture_postings(Minor::new(10_000), Minor::new(320)),
            Ok(vec![
                leg(Account::ProcessorReceivable, Side::Debit, 10_000),
                leg(Account::Merchant, Side::Credit, 9_680),
                leg(Account::FeeIncome, Side::Credit, 320),
            ])
        );
    }

    #[test]
    fn a_leg_of_nothing_is_left_out() {
        assert_eq!(capture_postings(Minor::new(10), Minor::ZERO).unwrap().len(), 2);
        assert_eq!(capture_postings(Minor::new(10), Minor::new(10)).unwrap().len(), 2);
    }

    #[test]
    fn an_unbalanced_or_negative_entry_can_not_be_made() {
        assert_eq!(
            balanced(vec![leg(Account::ProcessorReceivable, Side::Debit, 10), leg(Account::Merchant, Side::Credit, 9)]),
            Err(LedgerError::Unbalanced)
        );
        assert_eq!(capture_postings(Minor::new(10), Minor::new(11)), Err(LedgerError::Unbalanced));
    }

    proptest! {
        #[test]
        fn every_capture_balances(amount in 1..=crate::money::AMOUNT_MAX, fee_share in 0..=100_i64) {
            let fee = amount / 100 * fee_share;
            let postings = capture_postings(Minor::new(amount), Minor::new(fee)).unwrap();
            let signed = postings.iter().map(|leg| match leg.side {
                Side::Debit => leg.amount.units(),
                Side::Credit => -leg.amount.units(),
            });
            prop_assert_eq!(signed.sum::<i64>(), 0);
        }
    }
}
