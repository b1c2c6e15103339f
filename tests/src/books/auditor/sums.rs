//! What entries, movements and balances come to.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::{Books, number, text, today};
use crate::table::Item;
use crate::terms::expected_fee;

/// A merchant's (available, pending) by currency, in minor units; a currency of which there is nothing is left out.
pub type Balances = BTreeMap<String, (i64, i64)>;

/// Signed sums in minor units, debits above zero, by currency and account.
pub type Accounts = BTreeMap<String, BTreeMap<String, i64>>;

impl Books {
    /// The balances as the journal says: credits less debits of the merchant's account, by value date.
    pub fn recomputed(&self) -> Balances {
        let mut balances = Balances::new();
        for entry in &self.entries {
            for (_, amount) in legs(entry).filter(|(account, _)| account == "merchant") {
                add(&mut balances, text(entry, "currency"), text(entry, "available_on"), -amount);
            }
        }
        without_nothing(balances)
    }

    /// The balances as the system keeps them: the balance items and the movements that are in none of them.
    pub fn kept(&self) -> Balances {
        let mut balances = Balances::new();
        let mut folded: BTreeSet<&str> = BTreeSet::new();
        for balance in self.balances.values() {
            let currency = text(balance, "sk");
            add(&mut balances, currency, "0000-00-00", number(balance, "available"));
            for (day, amount) in balance.get("pending").and_then(Value::as_object).into_iter().flatten() {
                add(&mut balances, currency, day, amount.as_i64().unwrap());
            }
            folded.extend(
                balance.get("folding").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str),
            );
        }
        for movement in &self.movements {
            let key = text(movement, "sk").strip_prefix("move#").unwrap();
            let mut parts = key.split('#');
            let (currency, day) = (parts.next().unwrap(), parts.next().unwrap());
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
            for (account, amount) in legs(entry) {
                *of_currency.entry(account).or_default() += amount;
            }
        }
        accounts
    }
}

/// Account and amount of each leg of an entry, debits above zero.
pub(super) fn legs(entry: &Item) -> impl Iterator<Item = (String, i64)> {
    let postings = entry.get("postings").and_then(Value::as_array);
    postings.unwrap_or_else(|| panic!("no postings: {entry:?}")).iter().map(|posting| {
        let (account, amount) = (posting["account"].as_str().unwrap().to_owned(), posting["amount"].as_i64().unwrap());
        (account, if posting["side"] == "debit" { amount } else { -amount })
    })
}

/// What an entry has to show as amount, fee and net, by its legs.
pub fn figures(entry: &Item) -> (i64, i64, i64) {
    let credited =
        |wanted: &str| -> i64 { legs(entry).filter(|(account, _)| account == wanted).map(|(_, amount)| -amount).sum() };
    let (fee, net) = (credited("fee_income"), credited("merchant"));
    (net + fee, fee, net)
}

/// The legs that the capture of this amount must post, sorted; a leg of nothing is left out.
pub(crate) fn expected_legs(amount: i64) -> Vec<(String, i64)> {
    let fee = expected_fee(amount);
    let legs = [("fee_income", -fee), ("merchant", fee - amount), ("processor_receivable", amount)];
    legs.into_iter().filter(|(_, amount)| *amount != 0).map(|(account, amount)| (account.to_owned(), amount)).collect()
}

fn add(balances: &mut Balances, currency: &str, day: &str, amount: i64) {
    let (available, pending) = balances.entry(currency.to_owned()).or_default();
    *(if day <= today().as_str() { available } else { pending }) += amount;
}

fn without_nothing(mut balances: Balances) -> Balances {
    balances.retain(|_, amounts| *amounts != (0, 0));
    balances
}

/// For people.
pub(crate) fn shown(balances: &Balances) -> String {
    let amounts = balances
        .iter()
        .map(|(currency, (available, pending))| format!("{available} available and {pending} pending {currency}"));
    amounts.collect::<Vec<String>>().join(", ")
}
