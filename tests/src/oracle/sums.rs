//! Sums of entries, movements and balances.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::{Books, Kind, Violation, number, text, today};
use crate::table::Item;

/// A merchant's (available, pending) by currency in minor units, without zeros.
pub type Balances = BTreeMap<String, (i64, i64)>;

/// Signed sums in minor units, debits above zero, by currency and account.
pub type Accounts = BTreeMap<String, BTreeMap<String, i64>>;

/// All accounts sum to zero, and the balances equal the journal's.
pub(crate) fn check(books: &Books, found: &mut Vec<Violation>) {
    for (currency, accounts) in books.accounts() {
        let sum: i64 = accounts.values().sum();
        if sum != 0 {
            let sentence = format!("all accounts together sum to {sum} in {currency}, not to 0");
            found.push(Kind::Unbalanced.of(sentence));
        }
    }
    let (kept, recomputed) = (books.kept(), books.recomputed());
    if kept != recomputed {
        let (kept, recomputed) = (shown(&kept), shown(&recomputed));
        let sentence = format!("the balance of balance items and movements is {kept}, the journal's {recomputed}");
        found.push(Kind::Wrong.of(sentence));
    }
}

impl Books {
    /// Balances by the journal: credits less debits of the merchant's account, by value date.
    pub fn recomputed(&self) -> Balances {
        let mut balances = Balances::new();
        for entry in &self.entries {
            add(&mut balances, text(entry, "currency"), text(entry, "available_on"), net_of(entry));
        }
        without_nothing(balances)
    }

    /// Balances as stored: the balance items and the movements that are not folded.
    pub fn kept(&self) -> Balances {
        let mut balances = Balances::new();
        let mut folded: BTreeSet<&str> = BTreeSet::new();
        for balance in self.balances.values().chain(&self.parts) {
            let currency = text(balance, "sk");
            // An amount in transit between two parts is in neither.
            let on_the_way = number(balance, "moved_out") - number(balance, "moved_in");
            add(&mut balances, currency, "0000-00-00", number(balance, "available") + on_the_way);
            for (day, amount) in balance.get("pending").and_then(Value::as_object).into_iter().flatten() {
                add(&mut balances, currency, day, amount.as_i64().unwrap_or_default());
            }
            folded.extend(
                balance.get("folding").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str),
            );
        }
        for movement in &self.movements {
            let key = text(movement, "sk").strip_prefix("move#").unwrap_or_default();
            let mut parts = key.split('#');
            let (currency, day) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
            if !folded.contains(key) {
                add(&mut balances, currency, day, number(movement, "amount"));
            }
        }
        without_nothing(balances)
    }

    /// The sums of all postings.
    pub fn accounts(&self) -> Accounts {
        let mut accounts = Accounts::new();
        for entry in &self.entries {
            let of_currency = accounts.entry(text(entry, "currency").to_owned()).or_default();
            for (account, amount) in postings_of(entry) {
                *of_currency.entry(account).or_default() += amount;
            }
        }
        accounts
    }
}

/// Account and amount of each posting of an entry, debits above zero.
pub(crate) fn postings_of(entry: &Item) -> impl Iterator<Item = (String, i64)> {
    let postings = entry.get("postings").and_then(Value::as_array);
    postings.into_iter().flatten().map(|posting| {
        let amount = posting["amount"].as_i64().unwrap_or_default();
        let account = posting["account"].as_str().unwrap_or_default().to_owned();
        (account, if posting["side"] == "debit" { amount } else { -amount })
    })
}

/// Amount, fee and net that an entry must show, by its postings.
pub fn figures(entry: &Item) -> (i64, i64, i64) {
    let (fee, net) = (fee_of(entry), net_of(entry));
    (net + fee, fee, net)
}

/// Change of the merchant's account by the entry; above zero for the merchant.
pub(crate) fn net_of(entry: &Item) -> i64 {
    -of_accounts(entry, |account| account == "merchant")
}

/// Fee of the entry.
pub(crate) fn fee_of(entry: &Item) -> i64 {
    -of_accounts(entry, |account| account.ends_with("fee_income"))
}

fn of_accounts(entry: &Item, these: fn(&str) -> bool) -> i64 {
    postings_of(entry).filter(|(account, _)| these(account)).map(|(_, amount)| amount).sum()
}

fn add(balances: &mut Balances, currency: &str, day: &str, amount: i64) {
    let (available, pending) = balances.entry(currency.to_owned()).or_default();
    *(if day <= today().as_str() { available } else { pending }) += amount;
}

fn without_nothing(mut balances: Balances) -> Balances {
    balances.retain(|_, amounts| *amounts != (0, 0));
    balances
}

/// Balances in words.
pub(crate) fn shown(balances: &Balances) -> String {
    let amounts = balances
        .iter()
        .map(|(currency, (available, pending))| format!("{available} available and {pending} pending {currency}"));
    amounts.collect::<Vec<String>>().join(", ")
}
