//! A merchant of a run: its key, its client's book, and its place in the inbox.

use std::sync::Arc;
use std::time::{Duration, Instant};

use reqwest::Method;
use serde_json::{Value, json};

use crate::Merchant;
use crate::auditor::Balances;
use crate::book::Book;
use crate::client::{Client, unique};
use crate::inbox::Inbox;
use crate::live::Live;
use crate::table::Table;
use crate::terms::SHARDS;

/// Between two looks at what is still to come.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// A merchant of a run.
pub struct Shop {
    /// `mer_…`
    pub id: String,
    /// Holds its key with every scope.
    pub client: Client,
    /// What its client knows.
    pub book: Book,
    /// Its place in the inbox.
    pub number: usize,
    /// Where its webhooks come.
    pub inbox: Arc<Inbox>,
}

impl Shop {
    /// A new merchant whose events are posted to the inbox; `Err` is a sentence.
    pub async fn open(live: &Live, inbox: &Arc<Inbox>, name: &str) -> Result<Shop, String> {
        let Merchant { id, client } = live.try_new_merchant(&json!({"name": name})).await?;
        let number = inbox.add_merchant();
        let request = client.webhook_endpoint_request(&unique(), &inbox.url(number), &["payment.*"]);
        let answer = request.try_send().await.map_err(|_| "The stack does not answer.".to_owned())?;
        if answer.status == 422 {
            return Err("The stack refuses webhooks to this machine: start it without WEBHOOK_LOOPBACK=0.".to_owned());
        }
        let secret = answer.body["secret"].as_str();
        let secret = secret.ok_or_else(|| format!("The webhook endpoint was answered {}.", answer.text))?;
        inbox.set_secret(number, secret);
        Ok(Shop { id, client, book: Book::default(), number, inbox: Arc::clone(inbox) })
    }

    /// The merchant in test mode as keys name it: `mer_…#test`.
    pub fn tenant(&self) -> String {
        format!("{}#test", self.id)
    }

    /// How many events its payments have made so far: as many as are settled. None if the table does not answer.
    pub async fn settled(&self, table: &Table) -> Option<usize> {
        let mut settled = 0;
        for shard in 0..SHARDS {
            settled += table.try_count(&format!("{}#events#{shard}", self.tenant())).await.ok()?;
        }
        Some(settled)
    }

    /// How many accepted payments have no acknowledged webhook yet.
    pub fn untold(&self) -> usize {
        self.inbox.missing(self.number, &self.book.accepted())
    }

    /// The balance as the API tells it, by currency (available, pending), zeros left out; `Err` is what it told.
    pub async fn balance(&self) -> Result<Balances, String> {
        let answer = self.client.request(Method::GET, "/balance").try_send().await;
        let answer = answer.map_err(|_| "no answer".to_owned())?;
        let balances = answer.body["balances"].as_array().filter(|_| answer.status == 200);
        let known = balances.filter(|all| all.iter().all(|balance| balance["error"].is_null()));
        let balances = known.ok_or_else(|| format!("{} {}", answer.status, answer.text))?;
        let amount = |balance: &Value, field: &str| balance[field].as_i64().unwrap_or(i64::MIN);
        let read = balances.iter().map(|balance| {
            let currency = balance["currency"].as_str().unwrap_or_default().to_owned();
            (currency, (amount(balance, "available"), amount(balance, "pending")))
        });
        Ok(read.filter(|(_, amounts)| *amounts != (0, 0)).collect())
    }
}

/// Waits until every accepted payment of these shops has an acknowledged webhook; false if that takes longer than
/// `limit`.
pub async fn all_told(shops: &[Arc<Shop>], limit: Duration) -> bool {
    let until = Instant::now() + limit;
    while shops.iter().any(|shop| shop.untold() > 0) {
        if Instant::now() > until {
            return false;
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
    true
}

/// Waits until no message is in any queue that moves payments on, but no longer than `limit`: what comes late then has
/// come.
pub async fn all_quiet(live: &Live, limit: Duration) {
    let until = Instant::now() + limit;
    let queues = live.queues();
    let urls = queues.work_urls().await;
    while Instant::now() < until {
        let mut left = 0;
        for url in &urls {
            left += queues.depth(url).await;
        }
        if left == 0 {
            return;
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}
