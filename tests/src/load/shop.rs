//! A merchant of a run: its key, its client's book, and its place in the inbox.

use std::sync::Arc;
use std::time::{Duration, Instant};

use reqwest::Method;
use serde_json::{Value, json};

use crate::Merchant;
use crate::book::Book;
use crate::client::{Client, unique};
use crate::inbox::Inbox;
use crate::live::Live;
use crate::oracle::Balances;
use crate::table::Table;
use crate::terms::SHARDS;

/// What its webhook endpoint takes.
pub const EVENT_TYPES: [&str; 1] = ["payment.*"];
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

    /// How many of its payments are settled: each then has an event. `None` if the table does not answer.
    pub async fn settled(&self, table: &Table) -> Option<usize> {
        let mut settled = 0;
        for shard in 0..SHARDS {
            settled += table.try_count(&format!("{}#events#{shard}", self.tenant())).await.ok()?;
        }
        Some(settled)
    }

    /// How many accepted payments have no acknowledged webhook yet.
    pub fn untold(&self) -> usize {
        self.inbox.missing(self.number, &self.book.accepted()).len()
    }

    /// How long ago the oldest payment without an acknowledged webhook was accepted; zero if there is none.
    pub fn oldest_untold(&self) -> Duration {
        let untold = self.inbox.missing(self.number, &self.book.accepted());
        let sent = self.book.sent();
        let accepted = sent.iter().filter_map(|sent| sent.accepted.as_ref());
        let ages = accepted.filter(|accepted| untold.contains(&accepted.id)).map(|accepted| accepted.at.elapsed());
        ages.max().unwrap_or_default()
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

/// Waits until every accepted payment of these shops has an acknowledged webhook. False if none came for as long as
/// `silence`.
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
