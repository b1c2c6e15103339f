//! Journal entries: balanced by construction.

use serde::{Deserialize, Serialize};

use super::account::{Account, EntryType, FEES};
use super::movement::{Movement, MovementKey};
use crate::balance::SHARDS_PER_PART;
use crate::currency::Currency;
use crate::id::{EntryId, ObjectId};
use crate::money::{Minor, OutOfRange};
use crate::time::{Day, Timestamp};

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
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Posting {
    /// The account that changes.
    pub account: Account,
    /// The side of the account that grows.
    pub side: Side,
    /// Minor units, above 0.
    pub amount: Minor,
}

/// A journal entry: balanced, never changed, never deleted. [`Draft::post`] is the only way to make one.
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
    postings: Vec<Posting>,
    /// The day from which the merchant's leg counts as available.
    pub available_on: Day,
    /// The object that caused it.
    pub source: ObjectId,
    /// The request that began it.
    pub request_id: String,
    /// When it was posted.
    pub created_at: Timestamp,
}

/// Where, when and for what an entry is posted.
#[derive(Debug, Clone)]
pub struct Posted {
    /// The object that causes it.
    pub source: ObjectId,
    /// The version of the object that it leads to: an object posts at most one entry for each of its versions.
    pub version: u64,
    /// The shard of the object, which the entry inherits.
    pub shard: u16,
    /// The day from which the merchant's leg counts as available.
    pub available_on: Day,
    /// The request that began it.
    pub request_id: String,
    /// The time of posting.
    pub at: Timestamp,
}

/// Why an entry can't be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum LedgerError {
    /// An amount or a sum overflows.
    #[error(transparent)]
    OutOfRange(#[from] OutOfRange),
    /// Debits and credits differ.
    #[error("the entry does not balance")]
    Unbalanced,
    /// No leg is left.
    #[error("the entry has no leg")]
    Empty,
    /// A leg is below 0.
    #[error("a leg of the entry is negative")]
    Negative,
    /// An account or a side that this type of entry does not post.
    #[error("the entry posts to an account that its type does not post to")]
    WrongAccount,
}

/// An entry while its legs are put together.
#[derive(Debug, Clone)]
pub struct Draft {
    entry_type: EntryType,
    currency: Currency,
    postings: Vec<Posting>,
}

impl Draft {
    /// An entry without legs.
    pub fn of(entry_type: EntryType, currency: Currency) -> Draft {
        Draft { entry_type, currency, postings: Vec::new() }
    }

    /// Adds a debit. A leg of 0 is left out.
    pub fn debit(self, account: Account, amount: Minor) -> Draft {
        self.leg(Side::Debit, account, amount)
    }

    /// Adds a credit. A leg of 0 is left out.
    pub fn credit(self, account: Account, amount: Minor) -> Draft {
        self.leg(Side::Credit, account, amount)
    }

    fn leg(mut self, side: Side, account: Account, amount: Minor) -> Draft {
        if amount != Minor::ZERO {
            self.postings.push(Posting { account, side, amount });
        }
        self
    }

    /// The entry, and the movement of the merchant's balance (none if the entry does not change it). Errors unless the
    /// legs are those of the type, each above 0, and balance.
    pub fn post(self, posted: Posted) -> Result<(JournalEntry, Option<Movement>), LedgerError> {
        self.check()?;
        let version = posted.version.to_string();
        let parts = [posted.source.as_str(), version.as_str()];
        let net = net(&self.postings)?;
        let entry = JournalEntry {
            id: EntryId::ordered(posted.at, shard_for(posted.shard, net), &parts),
            entry_type: self.entry_type,
            currency: self.currency,
            postings: self.postings,
            available_on: posted.available_on,
            source: posted.source,
            request_id: posted.request_id,
            created_at: posted.at,
        };
        let key = MovementKey { currency: entry.currency, value_date: entry.available_on, entry: entry.id.clone() };
        let movement = (net != Minor::ZERO).then_some(Movement { key, amount: net });
        Ok((entry, movement))
    }

    fn check(&self) -> Result<(), LedgerError> {
        let rule = self.entry_type.rule().ok_or(LedgerError::WrongAccount)?;
        if self.postings.is_empty() {
            return Err(LedgerError::Empty);
        }
        for leg in &self.postings {
            let accounts = match leg.side {
                Side::Debit => rule.debits,
                Side::Credit => rule.credits,
            };
            if !accounts.contains(&leg.account) {
                return Err(LedgerError::WrongAccount);
            }
            if leg.amount <= Minor::ZERO {
                return Err(LedgerError::Negative);
            }
        }
        let debits = total(&self.postings, |leg| leg.side == Side::Debit)?;
        let credits = total(&self.postings, |leg| leg.side == Side::Credit)?;
        if debits == credits { Ok(()) } else { Err(LedgerError::Unbalanced) }
    }
}

/// The shard of an entry that changes the merchant's balance by `net`. What takes from the merchant goes to the first part
/// of the balance: the other parts hold credits alone and are never below zero.
fn shard_for(shard: u16, net: Minor) -> u16 {
    if net < Minor::ZERO { shard % SHARDS_PER_PART } else { shard }
}

/// Minor units by which legs change the merchant's balance: credits of its account less debits.
fn net(postings: &[Posting]) -> Result<Minor, OutOfRange> {
    credited(postings, &[Account::Merchant])
}

/// Credits of the accounts less their debits.
fn credited(postings: &[Posting], accounts: &[Account]) -> Result<Minor, OutOfRange> {
    let of = |side| total(postings, |leg| leg.side == side && accounts.contains(&leg.account));
    of(Side::Credit)?.minus(of(Side::Debit)?)
}

/// The sum of the legs that `counts`.
fn total(postings: &[Posting], counts: impl Fn(&Posting) -> bool) -> Result<Minor, OutOfRange> {
    Minor::sum(postings.iter().filter(|leg| counts(leg)).map(|leg| leg.amount))
}

impl JournalEntry {
    /// The legs.
    pub fn postings(&self) -> &[Posting] {
        &self.postings
    }

    /// Whether a leg is the merchant's account or a fee. An entry between accounts of the platform does not change the
    /// balance.
    pub fn changes_the_balance(&self) -> bool {
        let is_the_merchants = |leg: &Posting| leg.account == Account::Merchant || FEES.contains(&leg.account);
        self.postings.iter().any(is_the_merchants)
    }

    /// Minor units by which the merchant's balance changed: credits of its account less debits.
    pub fn net(&self) -> Result<Minor, OutOfRange> {
        net(&self.postings)
    }

    /// Minor units that the merchant paid for the service: credits of the income accounts less debits.
    pub fn fee(&self) -> Result<Minor, OutOfRange> {
        credited(&self.postings, FEES)
    }

    /// Minor units before the fee: net and fee together.
    pub fn amount(&self) -> Result<Minor, OutOfRange> {
        self.net()?.plus(self.fee()?)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::id::PaymentId;

    fn usd() -> Currency {
        Currency::parse("USD").unwrap()
    }

    fn posted() -> Posted {
        Posted {
            source: PaymentId::derive(&["p"]).into(),
            version: 2,
            shard: 3,
            available_on: Day::parse("2026-02-02").unwrap(),
            request_id: "req-1".to_owned(),
            at: Timestamp::parse("2026-01-31T12:00:00Z").unwrap(),
        }
    }

    fn capture(amount: i64, net: i64, fee: i64) -> Result<(JournalEntry, Option<Movement>), LedgerError> {
        Draft::of(EntryType::Capture, usd())
            .debit(Account::ProcessorReceivable, Minor::new(amount))
            .credit(Account::Merchant, Minor::new(net))
            .credit(Account::FeeIncome, Minor::new(fee))
            .post(posted())
    }

    #[test]
    fn a_capture_of_10000_with_a_fee_of_320() {
        let (entry, movement) = capture(10_000, 9_680, 320).unwrap();
        let movement = movement.unwrap();
        let leg = |account, side, amount| Posting { account, side, amount: Minor::new(amount) };
        assert_eq!(
            entry.postings(),
            [
                leg(Account::ProcessorReceivable, Side::Debit, 10_000),
                leg(Account::Merchant, Side::Credit, 9_680),
                leg(Account::FeeIncome, Side::Credit, 320),
            ]
        );
        let shown = [entry.amount(), entry.fee(), entry.net()].map(|read| read.unwrap().units());
        assert_eq!(shown, [10_000, 320, 9_680]);
        assert_eq!((movement.amount.units(), movement.key.value_date), (9_680, entry.available_on));
        assert_eq!((&movement.key.entry, entry.id.shard()), (&entry.id, 3));
    }

    #[test]
    fn a_leg_of_nothing_is_left_out() {
        assert_eq!(capture(10, 10, 0).unwrap().0.postings().len(), 2);
        assert_eq!(capture(10, 0, 10).unwrap().0.postings().len(), 2);
    }

    #[test]
    fn an_entry_of_fees_alone_moves_no_balance() {
        assert_eq!(capture(10, 0, 10).unwrap().1, None);
    }

    #[test]
    fn what_takes_from_the_merchant_goes_to_the_first_part() {
        let shards = [(0, 5), (0, -5), (3, -5), (4, 5), (4, 0), (4, -5), (1023, 5), (1023, -5)];
        let expected = [0, 0, 3, 4, 4, 0, 1023, 3];
        assert_eq!(shards.map(|(shard, net)| shard_for(shard, Minor::new(net))), expected);
    }

    #[test]
    fn an_entry_between_the_platforms_accounts_stays_on_its_shard_and_changes_no_balance() {
        let sent = Draft::of(EntryType::RefundSent, usd())
            .debit(Account::RefundsPayable, Minor::new(10))
            .credit(Account::ProcessorReceivable, Minor::new(10));
        let (entry, movement) = sent.post(Posted { shard: 7, ..posted() }).unwrap();
        assert_eq!((entry.changes_the_balance(), movement, entry.id.shard()), (false, None, 7));
        // A fee that takes the whole amount moves no balance either, but the merchant has paid it.
        let [all_fee, no_fee] = [capture(10, 0, 10), capture(10, 10, 0)].map(|made| made.unwrap().0);
        assert_eq!([all_fee, no_fee].map(|entry| entry.changes_the_balance()), [true, true]);
    }

    #[test]
    fn a_wrong_entry_can_not_be_made() {
        assert_eq!(capture(10, 9, 0).unwrap_err(), LedgerError::Unbalanced);
        assert_eq!(capture(10, -1, 11).unwrap_err(), LedgerError::Negative);
        assert_eq!(capture(0, 0, 0).unwrap_err(), LedgerError::Empty);
        assert_eq!(capture(i64::MAX, i64::MAX, 1).unwrap_err(), LedgerError::OutOfRange(OutOfRange));
        let swapped = Draft::of(EntryType::Capture, usd())
            .debit(Account::Merchant, Minor::new(10))
            .credit(Account::ProcessorReceivable, Minor::new(10));
        assert_eq!(swapped.post(posted()).unwrap_err(), LedgerError::WrongAccount);
        let unknown = Draft::of(EntryType::Other("toll".to_owned()), usd()).debit(Account::Merchant, Minor::new(10));
        assert_eq!(unknown.post(posted()).unwrap_err(), LedgerError::WrongAccount);
    }

    #[test]
    fn an_entry_of_a_newer_version_is_read_and_shown() {
        let (entry, _) = capture(10_000, 9_680, 320).unwrap();
        let mut stored = serde_json::to_value(&entry).unwrap();
        stored["type"] = "toll".into();
        stored["source"] = "tol_7ccpzn4gffpza71gj3mr6qsffj".into();
        stored["postings"][0]["account"] = "toll_receivable".into();
        stored["toll_road"] = 7.into();
        let read: JournalEntry = serde_json::from_value(stored.clone()).unwrap();
        assert_eq!((read.source.as_str(), read.net().unwrap().units()), ("tol_7ccpzn4gffpza71gj3mr6qsffj", 9_680));
        assert_eq!(serde_json::to_value(&read.entry_type).unwrap(), "toll");
        assert_eq!(serde_json::to_value(read.postings()).unwrap(), stored["postings"]);
    }

    proptest! {
        #[test]
        fn every_capture_balances(amount in 1..=crate::money::AMOUNT_MAX, fee_share in 0..=100_i64) {
            let fee = amount / 100 * fee_share;
            let (entry, _) = capture(amount, amount - fee, fee).unwrap();
            let signed = entry.postings().iter().map(|leg| match leg.side {
                Side::Debit => leg.amount.units(),
                Side::Credit => -leg.amount.units(),
            });
            prop_assert_eq!(signed.sum::<i64>(), 0);
        }
    }
}
