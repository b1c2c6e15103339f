//! Compares postings and balances with the clients' requests. The books' own consistency is checked elsewhere.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::json;

use super::Evidence;
use crate::difference::differences;
use crate::money_request::MoneyRequest;
use crate::oracle::Accounts;
use crate::oracle::Balances;
use crate::oracle::rules::EntryType;
use crate::oracle::sums::shown;
use crate::request_log::Sent;
use crate::violation::{Kind, Violation};
use crate::workload::Order;

pub(super) fn check(evidence: &Evidence, accepted: &BTreeMap<&str, &Sent<Order>>, found: &mut Vec<Violation>) {
    let declined = accepted.iter().filter(|(_, sent)| !sent.request.succeeds());
    let undone = declined.filter(|(payment, _)| evidence.books.undone(payment));
    let sentence = |payment| format!("{payment} has to be declined, and a charge of it was undone");
    found.extend(undone.map(|(payment, _)| Kind::Wrong.of(sentence(payment))));
    posted(evidence, found);
    counted(evidence, found);
}

/// Expected postings of an accepted request, debits above zero.
fn expected_postings(request: &dyn MoneyRequest) -> Vec<(String, i64)> {
    let entries = request.entries().into_iter().filter_map(|(kind, amount)| Some((EntryType::named(kind)?, amount)));
    entries.flat_map(|(kind, amount)| kind.postings(amount, kind.fee_by_terms(amount))).collect()
}

/// In each account all entries sum to what the clients' requests require.
fn posted(evidence: &Evidence, found: &mut Vec<Violation>) {
    let posted = evidence.books.accounts();
    let mut expected = Accounts::new();
    for request in evidence.all_accepted().into_values() {
        for (account, amount) in expected_postings(request) {
            *expected.entry(request.currency().to_owned()).or_default().entry(account).or_default() += amount;
        }
    }
    for currency in expected.keys().chain(posted.keys()).collect::<BTreeSet<&String>>() {
        let [posted, expected] = [&posted, &expected].map(|accounts| accounts.get(currency));
        if posted != expected {
            let [posted, expected] = [posted, expected].map(|accounts| json!(accounts));
            let differences = differences(&posted, &expected);
            found.push(Kind::Wrong.of(format!("the accounts in {currency} hold what they must not: {differences}")));
        }
    }
}

/// The balance is the sum of the net of each order and refund, in the journal and in the API. Nothing is available yet,
/// because no run lasts until the payments' value date.
fn counted(evidence: &Evidence, found: &mut Vec<Violation>) {
    let expected = expected_balances(evidence);
    let unlike = |name: &str, balances: &Balances| {
        let sentence = || format!("the balance {name} is {}, not {}", shown(balances), shown(&expected));
        (*balances != expected).then(|| Kind::Wrong.of(sentence()))
    };
    found.extend(unlike("of the journal", &evidence.books.recomputed()));
    match &evidence.balance {
        Ok(balance) => found.extend(unlike("that the API tells", balance)),
        Err(answer) => found.push(Kind::Wrong.of(format!("the balance was answered {answer}"))),
    }
}

/// Expected balance by currency: (0, the sum of all nets).
pub fn expected_balances(evidence: &Evidence) -> Balances {
    let mut balances = Balances::new();
    for request in evidence.all_accepted().into_values() {
        for (_, amount) in expected_postings(request).into_iter().filter(|(account, _)| account == "merchant") {
            balances.entry(request.currency().to_owned()).or_default().1 -= amount;
        }
    }
    balances.retain(|_, amounts| *amounts != (0, 0));
    balances
}
