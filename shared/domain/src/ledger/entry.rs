//! Journal entries. An unbalanced entry can't be constructed.

use serde::{Deserialize, Serialize};

use super::account::{Account, EntryType, FEES};
use super::movement::{Movement, MovementKey};
use crate::balance::SHARDS_PER_PART;
use crate::currency::Currency;
use crate::id::{EntryId, Kind, ObjectId};
use crate::money::{Minor, OutOfRange};
use crate::resource::Meta;
use crate::time::{Day, Timestamp};

/// The side of a posting.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Side {
    /// Assets and costs grow.
    Debit,
    /// Liabilities and income grow.
    Credit,
}

/// One posting of an entry.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Posting {
    /// The account that changes.
    pub account: Account,
    /// The side of the account that grows.
    pub side: Side,
    /// Minor units, above 0.
    pub amount: Minor,
}

/// A journal entry. It is balanced, and never changed or deleted. Only [`Draft::post`] makes a new one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct JournalEntry {
    /// An ordered id: it sorts by time and names its shard.
    pub id: EntryId,
    /// The type, which is `type` in JSON.
    #[serde(rename = "type")]
    pub entry_type: EntryType,
    /// The currency of all postings.
    pub currency: Currency,
    /// The postings. Debits equal credits.
    postings: Vec<Posting>,
    /// The value date of the merchant's posting.
    pub available_on: Day,
    /// The object that caused the entry.
    pub source: ObjectId,
    /// Id of the request that created that object.
    pub request_id: String,
    /// Time of posting.
    pub created_at: Timestamp,
}

/// Why an entry can't be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum LedgerError {
    /// An amount or a sum overflows.
    #[error(transparent)]
    OutOfRange(#[from] OutOfRange),
    /// The sums of debits and credits differ.
    #[error("the entry does not balance")]
    Unbalanced,
    /// There are no postings.
    #[error("the entry has no postings")]
    Empty,
    /// An amount is negative.
    #[error("a posting of the entry is negative")]
    Negative,
    /// A posting uses an account or a side that this type of entry must not use.
    #[error("the entry posts to an account that its type does not post to")]
    WrongAccount,
}

/// An entry that is being built.
#[derive(Debug, Clone)]
pub struct Draft {
    entry_type: EntryType,
    currency: Currency,
    postings: Vec<Posting>,
}

impl Draft {
    /// An entry without postings.
    pub fn of(entry_type: EntryType, currency: Currency) -> Draft {
        Draft { entry_type, currency, postings: Vec::new() }
    }

    /// Adds a debit. An amount of 0 is left out.
    pub fn debit(self, account: Account, amount: Minor) -> Draft {
        self.posting(Side::Debit, account, amount)
    }

    /// Adds a credit. An amount of 0 is left out.
    pub fn credit(self, account: Account, amount: Minor) -> Draft {
        self.posting(Side::Credit, account, amount)
    }

    fn posting(mut self, side: Side, account: Account, amount: Minor) -> Draft {
        if amount != Minor::ZERO {
            self.postings.push(Posting { account, side, amount });
        }
        self
    }

    /// Returns the entry of the step that led to the present version of `object`, and the entry's movement. `None` in
    /// place of the movement if it would be zero. Each version of an object posts at most one entry. An entry that
    /// takes from the merchant goes to a shard of the first part of the balance, any other to the object's shard.
    /// Errors unless the postings obey the rule of the type, have positive amounts, and sum to zero.
    pub fn post<K: Kind + Clone>(
        self, object: &Meta<K>, available_on: Day, at: Timestamp,
    ) -> Result<(JournalEntry, Option<Movement>), LedgerError> {
        self.check()?;
        let parts = [object.id.as_str(), &object.version.to_string()];
        let net = net(&self.postings)?;
        let entry = JournalEntry {
            id: EntryId::ordered(at, shard_for(object.shard, net), &parts),
            entry_type: self.entry_type,
            currency: self.currency,
            postings: self.postings,
            available_on,
            source: object.id.clone().into(),
            request_id: object.request_id.clone(),
            created_at: at,
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
        for posting in &self.postings {
            let accounts = match posting.side {
                Side::Debit => rule.debits,
                Side::Credit => rule.credits,
            };
            if !accounts.contains(&posting.account) {
                return Err(LedgerError::WrongAccount);
            }
            if posting.amount <= Minor::ZERO {
                return Err(LedgerError::Negative);
            }
        }
        let debits = total(&self.postings, |posting| posting.side == Side::Debit)?;
        let credits = total(&self.postings, |posting| posting.side == Side::Credit)?;
        if debits == credits { Ok(()) } else { Err(LedgerError::Unbalanced) }
    }
}

/// The shard of an entry that changes the merchant's balance by `net`. Debits go to the first part of the balance. So
/// the other parts contain only credits and are never negative.
fn shard_for(shard: u16, net: Minor) -> u16 {
    if net < Minor::ZERO { shard % SHARDS_PER_PART } else { shard }
}

/// Minor units by which the postings change the merchant's balance: credits of its account minus debits.
fn net(postings: &[Posting]) -> Result<Minor, OutOfRange> {
    credited(postings, &[Account::Merchant])
}

/// Credits of these accounts minus their debits.
fn credited(postings: &[Posting], accounts: &[Account]) -> Result<Minor, OutOfRange> {
    let of = |side| total(postings, |posting| posting.side == side && accounts.contains(&posting.account));
    of(Side::Credit)?.minus(of(Side::Debit)?)
}

/// The sum of the postings for which `counts` is true.
fn total(postings: &[Posting], counts: impl Fn(&Posting) -> bool) -> Result<Minor, OutOfRange> {
    Minor::sum(postings.iter().filter(|posting| counts(posting)).map(|posting| posting.amount))
}

impl JournalEntry {
    /// The postings.
    pub fn postings(&self) -> &[Posting] {
        &self.postings
    }

    /// Whether the entry posts to the merchant's account or to a fee account, also if its movement is zero. Other
    /// entries stand between accounts of the platform.
    pub fn concerns_the_merchant(&self) -> bool {
        let is_the_merchants =
            |posting: &Posting| posting.account == Account::Merchant || FEES.contains(&posting.account);
        self.postings.iter().any(is_the_merchants)
    }

    /// Minor units by which the merchant's balance changed: credits of its account minus debits.
    pub fn net(&self) -> Result<Minor, OutOfRange> {
        net(&self.postings)
    }

    /// Minor units that the merchant paid as fees: credits of the fee accounts minus debits.
    pub fn fee(&self) -> Result<Minor, OutOfRange> {
        credited(&self.postings, FEES)
    }

    /// Minor units before the fee: the sum of net and fee.
    pub fn amount(&self) -> Result<Minor, OutOfRange> {
        self.net()?.plus(self.fee()?)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::samples::{noon, payment};

    fn usd() -> Currency {
        Currency::parse("USD").unwrap()
    }

    fn posted(draft: Draft, shard: u16) -> Result<(JournalEntry, Option<Movement>), LedgerError> {
        draft.post(&payment(shard, 1, "USD").meta.moved(noon()), Day::parse("2026-02-02").unwrap(), noon())
    }

    fn capture(amount: i64, net: i64, fee: i64) -> Result<(JournalEntry, Option<Movement>), LedgerError> {
        let draft = Draft::of(EntryType::Capture, usd())
            .debit(Account::ProcessorReceivable, Minor::new(amount))
            .credit(Account::Merchant, Minor::new(net))
            .credit(Account::FeeIncome, Minor::new(fee));
        posted(draft, 3)
    }

    #[test]
    fn a_capture_of_10000_with_a_fee_of_320() {
        let (entry, movement) = capture(10_000, 9_680, 320).unwrap();
        let movement = movement.unwrap();
        let posting = |account, side, amount| Posting { account, side, amount: Minor::new(amount) };
        assert_eq!(
            entry.postings(),
            [
                posting(Account::ProcessorReceivable, Side::Debit, 10_000),
                posting(Account::Merchant, Side::Credit, 9_680),
                posting(Account::FeeIncome, Side::Credit, 320),
            ]
        );
        let shown = [entry.amount(), entry.fee(), entry.net()].map(|read| read.unwrap().units());
        assert_eq!(shown, [10_000, 320, 9_680]);
        assert_eq!((movement.amount.units(), movement.key.value_date), (9_680, entry.available_on));
        assert_eq!((&movement.key.entry, entry.id.shard()), (&entry.id, 3));
    }

    #[test]
    fn a_posting_of_zero_is_left_out() {
        assert_eq!(capture(10, 10, 0).unwrap().0.postings().len(), 2);
        assert_eq!(capture(10, 0, 10).unwrap().0.postings().len(), 2);
    }

    #[test]
    fn an_entry_with_only_fees_has_no_movement() {
        assert_eq!(capture(10, 0, 10).unwrap().1, None);
    }

    #[test]
    fn debits_of_the_merchant_go_to_the_first_part() {
        let shards = [(0, 5), (0, -5), (3, -5), (4, 5), (4, 0), (4, -5), (1023, 5), (1023, -5)];
        let expected = [0, 0, 3, 4, 4, 0, 1023, 3];
        assert_eq!(shards.map(|(shard, net)| shard_for(shard, Minor::new(net))), expected);
    }

    #[test]
    fn an_entry_between_platform_accounts_has_no_movement() {
        let sent = Draft::of(EntryType::RefundSent, usd())
            .debit(Account::RefundsPayable, Minor::new(10))
            .credit(Account::ProcessorReceivable, Minor::new(10));
        let (entry, movement) = posted(sent, 7).unwrap();
        assert_eq!((entry.concerns_the_merchant(), movement, entry.id.shard()), (false, None, 7));
        // An entry whose fee is the whole amount has no movement either, but it concerns the merchant, who paid the
        // fee.
        let [all_fee, no_fee] = [capture(10, 0, 10), capture(10, 10, 0)].map(|made| made.unwrap().0);
        assert_eq!([all_fee, no_fee].map(|entry| entry.concerns_the_merchant()), [true, true]);
    }

    #[test]
    fn an_invalid_entry_is_refused() {
        assert_eq!(capture(10, 9, 0).unwrap_err(), LedgerError::Unbalanced);
        assert_eq!(capture(10, -1, 11).unwrap_err(), LedgerError::Negative);
        assert_eq!(capture(0, 0, 0).unwrap_err(), LedgerError::Empty);
        assert_eq!(capture(i64::MAX, i64::MAX, 1).unwrap_err(), LedgerError::OutOfRange(OutOfRange));
        let swapped = Draft::of(EntryType::Capture, usd())
            .debit(Account::Merchant, Minor::new(10))
            .credit(Account::ProcessorReceivable, Minor::new(10));
        assert_eq!(posted(swapped, 3).unwrap_err(), LedgerError::WrongAccount);
        let unknown = Draft::of(EntryType::Other("toll".to_owned()), usd()).debit(Account::Merchant, Minor::new(10));
        assert_eq!(posted(unknown, 3).unwrap_err(), LedgerError::WrongAccount);
    }

    #[test]
    fn an_entry_of_a_newer_version_reads_back_unchanged() {
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
            let signed = entry.postings().iter().map(|posting| match posting.side {
                Side::Debit => posting.amount.units(),
                Side::Credit => -posting.amount.units(),
            });
            prop_assert_eq!(signed.sum::<i64>(), 0);
        }
    }
}
