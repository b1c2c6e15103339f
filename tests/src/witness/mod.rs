//! The independent auditor of a run. It believes only what it was told from outside: the client's book, the webhooks as
//! they came, the sandbox processor's book, the journal, movements and balances as read, and the API's answers. What
//! it expects it computes from the client's requests alone.

mod answers;
mod gather;
mod money;
mod news;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde_json::Value;

use crate::auditor::{Balances, Books};
use crate::book::Sent;
use crate::inbox::Webhooks;
use crate::table::Item;

pub use gather::gather;
pub use money::{expected_balances, posted_sums};

/// In which way a promise was broken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// It was accepted, and something that must follow from it is not there.
    Lost,
    /// Something is there more often than once.
    Doubled,
    /// Debits and credits differ.
    Unbalanced,
    /// Something is not what it has to be.
    Wrong,
}

/// One broken promise, as a sentence.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Violation {
    /// In which way.
    pub kind: Kind,
    /// What.
    pub what: String,
}

impl Kind {
    /// In one word.
    pub fn name(self) -> &'static str {
        match self {
            Kind::Lost => "lost",
            Kind::Doubled => "doubled",
            Kind::Unbalanced => "unbalanced",
            Kind::Wrong => "wrong",
        }
    }

    /// A violation of this kind.
    pub fn of(self, what: impl Into<String>) -> Violation {
        Violation { kind: self, what: what.into() }
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.kind.name(), self.what)
    }
}

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
    /// The API's lists, where it has any.
    pub lists: Lists,
}

/// The pages of the API's lists in their order; `Err` is what was answered instead of a page.
#[derive(Debug, Default)]
pub struct Lists {
    /// Of `/payments`; none where there is no such list.
    pub payments: Option<Result<Vec<Value>, String>>,
    /// Of `/balance/transactions`; none where there is no such list.
    pub transactions: Option<Result<Vec<Value>, String>>,
}

impl Evidence {
    /// Every promise to this merchant that was broken. Each is named once.
    pub fn violations(&self) -> Vec<Violation> {
        let accepted = self.accepted();
        let mut found = Vec::new();
        answers::check(self, &accepted, &mut found);
        news::check(self, &accepted, &mut found);
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

fn text<'item>(item: &'item Item, name: &str) -> &'item str {
    item.get(name).and_then(Value::as_str).unwrap_or_default()
}
