//! What is known from outside of a run: the client's book, the webhooks as they came, the API's answers; beside them the
//! table as read. What must have come of it is computed from the client's requests alone.

mod answers;
mod gather;
mod money;
mod refunds;
mod webhooks;

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::{Balances, Books, Kind, Violation};
use crate::deliveries::Webhooks;
use crate::money_request::MoneyRequest;
use crate::refunds::Refund;
use crate::request_log::Sent;
use crate::workload::Order;

pub use gather::gather;
pub use money::expected_balances;

/// All that there is to be known about one merchant of a run, once everything has ended.
#[derive(Debug, Clone)]
pub struct Evidence {
    /// `mer_…#test`
    pub tenant: String,
    /// The client's book: orders.
    pub sent: Vec<Sent<Order>>,
    /// The client's book: refunds.
    pub refunds: Vec<Sent<Refund>>,
    /// The receiver's book.
    pub webhooks: Webhooks,
    /// What the merchant's endpoint takes: types of events, or `payment.*`, or `*`.
    pub subscribed: Vec<&'static str>,
    /// The table as read, with the sandbox's book.
    pub books: Books,
    /// Each accepted payment and refund, and whatever else the books hold that the API shows, as the API shows it, by id; its problem
    /// where it does not.
    pub shown: BTreeMap<String, Value>,
    /// The balance as the API shows it; its problem where it does not.
    pub balance: Result<Balances, String>,
    /// The API's lists.
    pub lists: Lists,
}

/// The API's lists, from the first page to the last; `Err` is what was answered instead of a page.
#[derive(Debug, Clone)]
pub struct Lists {
    /// Of `/payments`.
    pub payments: Result<Vec<Value>, String>,
    /// Of `/balance/transactions`.
    pub transactions: Result<Vec<Value>, String>,
    /// Of `/payments/{id}/refunds`, by the id of each payment of which a refund was accepted.
    pub refunds: BTreeMap<String, Result<Vec<Value>, String>>,
}

impl Evidence {
    /// Every promise to this merchant that was broken. Each is named once.
    pub fn violations(&self) -> Vec<Violation> {
        let accepted = self.accepted();
        let mut found = self.books.violations();
        answers::check(self, &accepted, &mut found);
        refunds::check(self, &mut found);
        webhooks::check(self, &mut found);
        money::check(self, &accepted, &mut found);
        found.sort();
        found.dedup();
        found
    }

    /// The accepted orders by the payment's id.
    pub fn accepted(&self) -> BTreeMap<&str, &Sent<Order>> {
        by_id(&self.sent)
    }

    /// The accepted refunds by the refund's id.
    pub fn accepted_refunds(&self) -> BTreeMap<&str, &Sent<Refund>> {
        by_id(&self.refunds)
    }

    /// All that was accepted, by id.
    fn all_accepted(&self) -> BTreeMap<&str, &dyn MoneyRequest> {
        let payments = self.accepted().into_iter().map(|(id, sent)| (id, &sent.request as &dyn MoneyRequest));
        payments
            .chain(self.accepted_refunds().into_iter().map(|(id, sent)| (id, &sent.request as &dyn MoneyRequest)))
            .collect()
    }
}

fn by_id<Of>(sent: &[Sent<Of>]) -> BTreeMap<&str, &Sent<Of>> {
    sent.iter().filter_map(|sent| Some((sent.accepted.as_ref()?.id.as_str(), sent))).collect()
}

/// What the processor did that none of these merchants asked for; only where nobody else uses it.
pub fn strangers(evidence: &[Evidence]) -> Vec<Violation> {
    let known: BTreeSet<&str> = evidence.iter().flat_map(|each| each.all_accepted().into_keys()).collect();
    let asked = evidence.iter().flat_map(|each| each.books.charges.keys());
    let unknown: BTreeSet<&String> = asked.filter(|reference| !known.contains(reference.as_str())).collect();
    let named =
        |reference: &&String| Kind::Wrong.of(format!("the processor was asked for {reference}, which no client sent"));
    unknown.iter().map(named).collect()
}
