//! The independent witness of a run. It believes only what it was told from outside: the client's book, the webhooks as
//! they came, the sandbox processor's book, the journal, movements and balances as read, and the API's answers. What
//! it expects it computes from the client's requests alone; what the table alone tells it leaves to the auditor.

mod answers;
mod gather;
mod money;
mod webhooks;

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::auditor::{Balances, Books};
use crate::book::Sent;
use crate::inbox::Webhooks;

pub use crate::violation::{Kind, Violation};
pub use gather::gather;
pub use money::expected_balances;

/// All that there is to be known about one merchant of a run, once everything has ended.
#[derive(Debug)]
pub struct Evidence {
    /// `mer_…#test`
    pub tenant: String,
    /// The client's book.
    pub sent: Vec<Sent>,
    /// The receiver's book.
    pub webhooks: Webhooks,
    /// The table as read, with the sandbox's book.
    pub books: Books,
    /// Each accepted payment as the API shows it; its problem where it does not.
    pub payments: BTreeMap<String, Value>,
    /// The balance as the API shows it; its problem where it does not.
    pub balance: Result<Balances, String>,
    /// The API's lists.
    pub lists: Lists,
}

/// The API's lists, from the first page to the last; `Err` is what was answered instead of a page.
#[derive(Debug)]
pub struct Lists {
    /// Of `/payments`.
    pub payments: Result<Vec<Value>, String>,
    /// Of `/balance/transactions`.
    pub transactions: Result<Vec<Value>, String>,
}

impl Evidence {
    /// Every promise to this merchant that was broken. Each is named once.
    pub fn violations(&self) -> Vec<Violation> {
        let accepted = self.accepted();
        let mut found = Vec::new();
        answers::check(self, &accepted, &mut found);
        webhooks::check(self, &accepted, &mut found);
        money::check(self, &accepted, &mut found);
        found.sort();
        found.dedup();
        found
    }

    /// The accepted orders by the payment's id.
    fn accepted(&self) -> BTreeMap<&str, &Sent> {
        let accepted = self.sent.iter().filter_map(|sent| Some((sent.accepted.as_ref()?.id.as_str(), sent)));
        accepted.collect()
    }
}

/// What the processor did for payments that none of these merchants asked for; only where nobody else uses it.
pub fn strangers(evidence: &[Evidence]) -> Vec<Violation> {
    let known: BTreeSet<&str> = evidence.iter().flat_map(|each| each.accepted().into_keys()).collect();
    let charged = evidence.iter().flat_map(|each| each.books.charges.keys());
    let unknown: BTreeSet<&String> = charged.filter(|payment| !known.contains(payment.as_str())).collect();
    let named =
        |payment: &&String| Kind::Wrong.of(format!("the processor was asked for {payment}, which no client sent"));
    unknown.iter().map(named).collect()
}
