//! What was charged, posted and counted: each payment once, debits equal to credits, and a balance that is the sum.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::{Evidence, Kind, Violation, text};
use crate::auditor::Balances;
use crate::book::Sent;
use crate::table::Item;
use crate::workload::Order;

/// Signed sums in minor units, debits above zero, by currency and account.
type Accounts = BTreeMap<String, BTreeMap<String, i64>>;

pub(super) fn check(evidence: &Evidence, accepted: &BTreeMap<&str, &Sent>, found: &mut Vec<Violation>) {
    let mut entries: BTreeMap<&str, Vec<&Item>> = BTreeMap::new();
    for entry in &evidence.books.entries {
        entries.entry(text(entry, "source")).or_default().push(entry);
    }
    for (payment, sent) in accepted {
        charges(evidence, payment, &sent.order, found);
        posted(payment, &sent.order, &entries.remove(payment).unwrap_or_default(), found);
    }
    for stranger in entries.keys() {
        found.push(Kind::Wrong.of(format!("there is an entry of {stranger:?}, which no client was told of")));
    }
    sums(evidence, accepted, found);
    counted(evidence, accepted, found);
}

/// The processor charged a payment that succeeds once, and no other.
fn charges(evidence: &Evidence, payment: &str, order: &Order, found: &mut Vec<Violation>) {
    let (charged, expected) = (evidence.books.charged(payment), usize::from(order.succeeds()));
    if charged > expected {
        found.push(Kind::Doubled.of(format!("{payment} was charged {charged} times, not {expected}")));
    } else if charged < expected {
        found.push(Kind::Lost.of(format!("{payment} was never charged")));
    }
    if evidence.books.undone(payment) {
        found.push(Kind::Wrong.of(format!("the charge of {payment} was undone")));
    }
}

/// A payment that succeeds has one entry, which says what it has to; another has none.
fn posted(payment: &str, order: &Order, entries: &[&Item], found: &mut Vec<Violation>) {
    for entry in entries {
        if legs(entry).map(|(_, amount)| amount).sum::<i64>() != 0 {
            let postings = json!(entry.get("postings"));
            found.push(Kind::Unbalanced.of(format!("the entry of {payment} does not balance: {postings}")));
        }
    }
    match (entries, order.succeeds()) {
        ([entry], true) => {
            let expected = expected_legs(order);
            let mut posted: Vec<(String, i64)> = legs(entry).collect();
            posted.sort();
            let numbers = [("amount", order.amount), ("fee", order.fee()), ("net", order.net())];
            let right = posted == expected
                && numbers.iter().all(|(name, value)| entry.get(*name) == Some(&json!(value)))
                && text(entry, "currency") == order.currency;
            if !right {
                let (currency, entry) = (order.currency, json!(entry));
                let sentence = format!("the entry of {payment} has to post {expected:?} in {currency}, and is {entry}");
                found.push(Kind::Wrong.of(sentence));
            }
        }
        ([], false) => {}
        ([], true) => found.push(Kind::Lost.of(format!("{payment} was never posted"))),
        (several, true) => found.push(Kind::Doubled.of(format!("{payment} has {} entries", several.len()))),
        (_, false) => found.push(Kind::Wrong.of(format!("{payment} has to fail, and has an entry"))),
    }
}

/// Account and signed amount of each leg that a capture must post, sorted; a leg of nothing is left out.
fn expected_legs(order: &Order) -> Vec<(String, i64)> {
    let legs = [("fee_income", -order.fee()), ("merchant", -order.net()), ("processor_receivable", order.amount)];
    legs.into_iter().filter(|(_, amount)| *amount != 0).map(|(account, amount)| (account.to_owned(), amount)).collect()
}

/// Account and amount of each leg, debits above zero.
fn legs(entry: &Item) -> impl Iterator<Item = (String, i64)> {
    entry.get("postings").and_then(Value::as_array).into_iter().flatten().map(|posting| {
        let amount = posting["amount"].as_i64().unwrap_or(i64::MIN / 4);
        let account = posting["account"].as_str().unwrap_or_default().to_owned();
        (account, if posting["side"] == "debit" { amount } else { -amount })
    })
}

/// All entries together sum to zero in each currency, and in each account to what the client's requests say.
fn sums(evidence: &Evidence, accepted: &BTreeMap<&str, &Sent>, found: &mut Vec<Violation>) {
    let posted = posted_sums(evidence);
    let whole = posted.iter().map(|(currency, accounts)| (currency, accounts.values().sum::<i64>()));
    for (currency, sum) in whole.filter(|(_, sum)| *sum != 0) {
        found.push(Kind::Unbalanced.of(format!("all accounts together sum to {sum} in {currency}, not to 0")));
    }
    let mut expected = Accounts::new();
    for order in accepted.values().map(|sent| &sent.order).filter(|order| order.succeeds()) {
        for (account, amount) in expected_legs(order) {
            *expected.entry(order.currency.to_owned()).or_default().entry(account).or_default() += amount;
        }
    }
    for currency in expected.keys().chain(posted.keys()).collect::<BTreeSet<&String>>() {
        let [posted, expected] = [&posted, &expected].map(|accounts| accounts.get(currency));
        if posted != expected {
            found.push(Kind::Wrong.of(format!("the accounts hold {posted:?} {currency}, not {expected:?}")));
        }
    }
}

/// By currency and account, the sum of all postings, debits above zero, in minor units.
pub fn posted_sums(evidence: &Evidence) -> Accounts {
    let mut posted = Accounts::new();
    for entry in &evidence.books.entries {
        let accounts = posted.entry(text(entry, "currency").to_owned()).or_default();
        for (account, amount) in legs(entry) {
            *accounts.entry(account).or_default() += amount;
        }
    }
    posted
}

/// The balance is the sum of what is left of each payment: as kept, as the journal says, and as the API tells. Nothing
/// of it is available yet, because no run lasts until the payments' value date.
fn counted(evidence: &Evidence, accepted: &BTreeMap<&str, &Sent>, found: &mut Vec<Violation>) {
    let expected = expected_balances(accepted.values().map(|sent| &sent.order));
    let unlike = |name: &str, balances: Balances| {
        let balances = balances.into_iter().filter(|(_, amounts)| *amounts != (0, 0)).collect::<Balances>();
        let sentence = || format!("the balance {name} is {}, not {}", shown(&balances), shown(&expected));
        (balances != expected).then(|| Kind::Wrong.of(sentence()))
    };
    found.extend(unlike("of balance items and movements", evidence.books.kept()));
    found.extend(unlike("of the journal", evidence.books.recomputed()));
    match &evidence.balance {
        Ok(balance) => found.extend(unlike("that the API tells", balance.clone())),
        Err(answer) => found.push(Kind::Wrong.of(format!("the balance was answered {answer}"))),
    }
}

/// What the merchant of these orders must have, by currency: (0, the sum of their nets).
pub fn expected_balances<'order>(orders: impl Iterator<Item = &'order Order>) -> Balances {
    let mut balances = Balances::new();
    for order in orders.filter(|order| order.net() != 0) {
        balances.entry(order.currency.to_owned()).or_default().1 += order.net();
    }
    balances
}

fn shown(balances: &Balances) -> String {
    let amounts = balances
        .iter()
        .map(|(currency, (available, pending))| format!("{available} available and {pending} pending {currency}"));
    amounts.collect::<Vec<String>>().join(", ")
}
