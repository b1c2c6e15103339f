//! A merchant under load, with its client's request log and its webhook deliveries.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::future::join_all;
use reqwest::Method;
use serde_json::{Value, json};

use crate::Merchant;
use crate::client::{Client, unique};
use crate::deliveries::{Deliveries, EventRef};
use crate::oracle::Balances;
use crate::refunds::{Refund, Refunds};
use crate::request_log::RequestLog;
use crate::running::RunningStack;
use crate::table::Table;
use crate::terms::SHARDS;
use crate::workload::Order;

/// Event types of its webhook endpoint.
pub const EVENT_TYPES: [&str; 2] = ["payment.*", "refund.*"];
/// How long creating the webhook endpoint may take.
const CREATION_LIMIT: Duration = Duration::from_secs(60);
/// Interval of polls.
const POLL_EVERY: Duration = Duration::from_millis(100);

/// A merchant under load.
pub struct LoadMerchant {
    /// `mer_…`
    pub id: String,
    /// Client with its key of every scope.
    pub client: Client,
    /// What its client sent, and the answers.
    pub requests: RequestLog,
    /// Its number in `deliveries`.
    pub number: usize,
    /// The receivers of its webhooks.
    pub deliveries: Arc<Deliveries>,
}

impl LoadMerchant {
    /// Creates a merchant whose events are delivered to `deliveries`; `Err` is a sentence.
    pub async fn create(
        stack: &RunningStack, deliveries: &Arc<Deliveries>, name: &str,
    ) -> Result<LoadMerchant, String> {
        LoadMerchant::create_with(stack, deliveries, &json!({"name": name})).await
    }

    /// The same; `terms` replaces fields of the request.
    pub async fn create_with(
        stack: &RunningStack, deliveries: &Arc<Deliveries>, terms: &Value,
    ) -> Result<LoadMerchant, String> {
        let Merchant { id, client } = stack.try_new_merchant(terms).await?;
        let number = deliveries.add_merchant();
        let request = client.webhook_endpoint_request(&unique(), &deliveries.url(number), &EVENT_TYPES);
        let refused = |answer: String| format!("The stack takes no webhook endpoint: {answer}.");
        let answer = request.send_patiently(CREATION_LIMIT).await.answer().map_err(refused)?;
        if answer.status == 422 {
            return Err("The stack refuses webhooks to this machine: start it without WEBHOOK_LOOPBACK=0.".to_owned());
        }
        let secret = answer.body["secret"].as_str();
        let secret = secret.ok_or_else(|| refused(answer.described()))?;
        deliveries.set_secret(number, secret);
        Ok(LoadMerchant { id, client, requests: RequestLog::default(), number, deliveries: Arc::clone(deliveries) })
    }

    /// Merchant and mode as in the table's keys: `mer_…#test`.
    pub fn tenant(&self) -> String {
        format!("{}#test", self.id)
    }

    /// Waits for a webhook of the order's payment, at most `patience`. Then sends the order's refunds, each until it is
    /// accepted or refused.
    pub async fn refund(&self, order: &Order, payment: &str, patience: Duration) {
        let until = Instant::now() + patience;
        while !self.deliveries.has_event_of(self.number, payment) {
            if Instant::now() > until {
                return;
            }
            tokio::time::sleep(POLL_EVERY).await;
        }
        let Refunds { at_once, repeat, .. } = order.refunds;
        let refunds = Refund::all_of(order, payment).into_iter();
        let each = refunds.map(|refund| self.requests.refund(&self.client, refund, patience, repeat));
        if at_once {
            join_all(each).await;
        } else {
            for refund in each {
                refund.await;
            }
        }
    }

    /// Number of its events in the table; `None` if the table does not answer.
    pub async fn events(&self, table: &Table) -> Option<usize> {
        let mut events = 0;
        for shard in 0..SHARDS {
            events += table.try_count(&format!("{}#events#{shard}", self.tenant())).await.ok()?;
        }
        Some(events)
    }

    /// Number of expected events that are not acknowledged yet.
    pub fn undelivered(&self) -> usize {
        self.missing().len()
    }

    /// Age of the oldest accepted request with an unacknowledged event; zero if all are acknowledged.
    pub fn oldest_undelivered(&self) -> Duration {
        self.missing().values().map(Instant::elapsed).max().unwrap_or_default()
    }

    fn missing(&self) -> BTreeMap<EventRef, Instant> {
        self.deliveries.missing(self.number, self.requests.expected_events())
    }

    /// The API's balance by currency (available, pending), without zeros; `Err` is the last other answer within
    /// `patience`.
    pub async fn balance(&self, patience: Duration) -> Result<Balances, String> {
        let answer = self.client.request(Method::GET, "/balance").send_patiently(patience).await.answer()?;
        let balances = answer.body["balances"].as_array().filter(|_| answer.status == 200);
        let known = balances.filter(|all| all.iter().all(|balance| balance["error"].is_null()));
        let balances = known.ok_or_else(|| answer.described())?;
        let amount = |balance: &Value, field: &str| balance[field].as_i64().unwrap_or(i64::MIN);
        let read = balances.iter().map(|balance| {
            let currency = balance["currency"].as_str().unwrap_or_default().to_owned();
            (currency, (amount(balance, "available"), amount(balance, "pending")))
        });
        Ok(read.filter(|(_, amounts)| *amounts != (0, 0)).collect())
    }
}

/// Waits until every expected event is acknowledged; false once the number of missing events has not changed for
/// `silence`.
pub async fn all_delivered(merchants: &[Arc<LoadMerchant>], silence: Duration) -> bool {
    let undelivered = || merchants.iter().map(|merchant| merchant.undelivered()).sum::<usize>();
    let (mut left, mut since) = (undelivered(), Instant::now());
    while left > 0 {
        if since.elapsed() > silence {
            return false;
        }
        tokio::time::sleep(POLL_EVERY).await;
        let now = undelivered();
        if now != left {
            (left, since) = (now, Instant::now());
        }
    }
    true
}

/// Waits until the work queues are empty, at most `limit`, so that no message arrives late.
pub async fn queues_empty(stack: &RunningStack, limit: Duration) {
    let until = Instant::now() + limit;
    let queues = stack.queues();
    let depths = async || -> Result<u64, String> {
        let mut left = 0;
        for url in queues.try_work_urls().await? {
            left += queues.try_depth(&url).await?;
        }
        Ok(left)
    };
    while Instant::now() < until {
        if depths().await == Ok(0) {
            return;
        }
        tokio::time::sleep(POLL_EVERY).await;
    }
}
