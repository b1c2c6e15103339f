//! A merchant of a run: its key, its client's book, and its place in the inbox.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::future::join_all;
use reqwest::Method;
use serde_json::{Value, json};

use crate::Merchant;
use crate::book::Book;
use crate::client::{Client, unique};
use crate::inbox::{Inbox, Told};
use crate::live::Live;
use crate::oracle::Balances;
use crate::refunds::{Refund, Refunds};
use crate::table::Table;
use crate::terms::SHARDS;
use crate::workload::Order;

/// What its webhook endpoint takes.
pub const EVENT_TYPES: [&str; 2] = ["payment.*", "refund.*"];
/// How long the stack may take to take a webhook endpoint.
const OPENING: Duration = Duration::from_secs(60);
/// Between two looks at what is still missing.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// A merchant of a run.
pub struct Shop {
    /// `mer_…`
    pub id: String,
    /// Holds its key with every scope.
    pub client: Client,
    /// What its client sent and was answered.
    pub book: Book,
    /// Its place in the inbox.
    pub number: usize,
    /// Where its webhooks arrive.
    pub inbox: Arc<Inbox>,
}

impl Shop {
    /// A new merchant whose events are posted to the inbox; `Err` is a sentence.
    pub async fn open(live: &Live, inbox: &Arc<Inbox>, name: &str) -> Result<Shop, String> {
        let Merchant { id, client } = live.try_new_merchant(&json!({"name": name})).await?;
        let number = inbox.add_merchant();
        let request = client.webhook_endpoint_request(&unique(), &inbox.url(number), &EVENT_TYPES);
        let refused = |answer: String| format!("The stack takes no webhook endpoint: {answer}.");
        let answer = request.send_patiently(OPENING).await.answer().map_err(refused)?;
        if answer.status == 422 {
            return Err("The stack refuses webhooks to this machine: start it without WEBHOOK_LOOPBACK=0.".to_owned());
        }
        let secret = answer.body["secret"].as_str();
        let secret = secret.ok_or_else(|| refused(answer.described()))?;
        inbox.set_secret(number, secret);
        Ok(Shop { id, client, book: Book::default(), number, inbox: Arc::clone(inbox) })
    }

    /// The merchant in test mode as keys name it: `mer_…#test`.
    pub fn tenant(&self) -> String {
        format!("{}#test", self.id)
    }

    /// Waits until a webhook has told what became of the order's payment, but no longer than `patience`. Then asks for
    /// the order's refunds, each until it is accepted or refused.
    pub async fn give_back(&self, order: &Order, payment: &str, patience: Duration) {
        let until = Instant::now() + patience;
        while !self.inbox.knows(self.number, payment) {
            if Instant::now() > until {
                return;
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
        let Refunds { at_once, repeat, .. } = order.refunds;
        let refunds = Refund::all_of(order, payment).into_iter();
        let each = refunds.map(|refund| self.book.give_back(&self.client, refund, patience, repeat));
        if at_once {
            join_all(each).await;
        } else {
            for refund in each {
                refund.await;
            }
        }
    }

    /// How many events it has. `None` if the table does not answer.
    pub async fn events(&self, table: &Table) -> Option<usize> {
        let mut events = 0;
        for shard in 0..SHARDS {
            events += table.try_count(&format!("{}#events#{shard}", self.tenant())).await.ok()?;
        }
        Some(events)
    }

    /// How many events must still come of what was accepted, or are not acknowledged yet.
    pub fn untold(&self) -> usize {
        self.missing().len()
    }

    /// How long ago the oldest request was accepted of which an event is missing; zero if there is none.
    pub fn oldest_untold(&self) -> Duration {
        self.missing().values().map(Instant::elapsed).max().unwrap_or_default()
    }

    fn missing(&self) -> BTreeMap<Told, Instant> {
        self.inbox.missing(self.number, self.book.to_be_told())
    }

    /// The balance that the API shows, by currency (available, pending), without zeros. `Err` is what it answered instead
    /// until `patience` was over.
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

/// Waits until every event that must come of what these shops were accepted is acknowledged. False if none came for as
/// long as `silence`.
pub async fn all_told(shops: &[Arc<Shop>], silence: Duration) -> bool {
    let untold = || shops.iter().map(|shop| shop.untold()).sum::<usize>();
    let (mut left, mut since) = (untold(), Instant::now());
    while left > 0 {
        if since.elapsed() > silence {
            return false;
        }
        tokio::time::sleep(LOOK_EVERY).await;
        let now = untold();
        if now != left {
            (left, since) = (now, Instant::now());
        }
    }
    true
}

/// Waits until the queues that move payments on are empty, but no longer than `limit`: then nothing comes late any more.
pub async fn all_quiet(live: &Live, limit: Duration) {
    let until = Instant::now() + limit;
    let queues = live.queues();
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
        tokio::time::sleep(LOOK_EVERY).await;
    }
}
