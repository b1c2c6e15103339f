//! Evidence of a run: the request log, the webhooks, the API's answers, and the table. The expected results are
//! computed from the requests alone.

mod answers;
mod gather;
mod money;
mod refunds;
mod webhooks;

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::deliveries::Webhooks;
use crate::money_request::MoneyRequest;
use crate::oracle::{Balances, Books};
use crate::refunds::Refund;
use crate::request_log::Sent;
use crate::violation::{Kind, Violation};
use crate::workload::Order;

pub use gather::gather;
pub use money::expected_balances;

/// All evidence about one merchant of a finished run.
#[derive(Debug, Clone)]
pub struct Evidence {
    /// `mer_…#test`
    pub tenant: String,
    /// Orders in the request log.
    pub sent: Vec<Sent<Order>>,
    /// Refunds in the request log.
    pub refunds: Vec<Sent<Refund>>,
    /// Received webhooks.
    pub webhooks: Webhooks,
    /// Event types of the merchant's endpoint: exact ones, `payment.*`, or `*`.
    pub subscribed: Vec<&'static str>,
    /// The table's items, including the sandbox's.
    pub books: Books,
    /// Each accepted payment and refund and all other stored objects, as the API shows them, by id; the problem if the
    /// API does not.
    pub shown: BTreeMap<String, Value>,
    /// The balance as the API shows it; the problem if it does not.
    pub balance: Result<Balances, String>,
    /// The API's lists.
    pub lists: Lists,
}

/// The API's lists with all pages; `Err` is an answer other than a page.
#[derive(Debug, Clone)]
pub struct Lists {
    /// Of `/payments`.
    pub payments: Result<Vec<Value>, String>,
    /// Of `/balance/transactions`.
    pub transactions: Result<Vec<Value>, String>,
    /// Of `/payments/{id}/refunds`, by the id of each payment with an accepted refund.
    pub refunds: BTreeMap<String, Result<Vec<Value>, String>>,
}

impl Evidence {
    /// Every broken promise to this merchant, each once.
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

    /// All accepted requests by id.
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

/// Processor calls that none of these merchants caused; only valid if nobody else uses the processor.
pub fn strangers(evidence: &[Evidence]) -> Vec<Violation> {
    let known: BTreeSet<&str> = evidence.iter().flat_map(|each| each.all_accepted().into_keys()).collect();
    let asked = evidence.iter().flat_map(|each| each.books.charges.keys());
    let unknown: BTreeSet<&String> = asked.filter(|reference| !known.contains(reference.as_str())).collect();
    let named =
        |reference: &&String| Kind::Wrong.of(format!("the processor was asked for {reference}, which no client sent"));
    unknown.iter().map(named).collect()
}
