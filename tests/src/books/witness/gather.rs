//! Asks for everything that the witness believes, once a run has ended.

use std::collections::BTreeMap;
use std::time::Duration;

use futures::{StreamExt, stream};
use reqwest::Method;
use serde_json::Value;

use super::{Evidence, Lists};
use crate::auditor::Books;
use crate::client::Client;
use crate::shop::Shop;
use crate::table::Table;

/// Payments that are read at once.
const AT_ONCE: usize = 16;
/// Items of a page.
const PAGE: usize = 100;

/// How long one question may take: a merchant's plan may allow a few requests a second.
const PATIENCE: Duration = Duration::from_secs(120);

/// All that is to be known about the merchant. `tell` is called with how many payments were read so far.
pub async fn gather(shop: &Shop, table: &Table, mut tell: impl FnMut(usize)) -> Evidence {
    let sent = shop.book.sent();
    let ids: Vec<String> = sent.iter().filter_map(|sent| Some(sent.accepted.as_ref()?.id.clone())).collect();
    let mut reading = stream::iter(ids.into_iter().map(|id| (shop.client.clone(), id)))
        .map(|(client, id)| async move {
            let shown = shown(&client, &format!("/payments/{id}")).await.unwrap_or_else(Value::String);
            (id, shown)
        })
        .buffer_unordered(AT_ONCE);
    let mut payments = BTreeMap::new();
    while let Some((id, payment)) = reading.next().await {
        payments.insert(id, payment);
        tell(payments.len());
    }
    Evidence {
        tenant: shop.tenant(),
        sent,
        webhooks: shop.inbox.webhooks(shop.number),
        books: Books::read(table, &shop.tenant()).await,
        payments,
        balance: shop.balance(PATIENCE).await,
        lists: Lists {
            payments: list(&shop.client, "/payments").await,
            transactions: list(&shop.client, "/balance/transactions").await,
        },
    }
}

/// What a GET shows; `Err` is what was answered instead of 200, for people.
async fn shown(client: &Client, path: &str) -> Result<Value, String> {
    let answer = client.request(Method::GET, path).send_patiently(PATIENCE).await.answer()?;
    if answer.status == 200 { Ok(answer.body) } else { Err(answer.described()) }
}

/// A list from its first page to its last; `Err` is what was answered instead of a page.
async fn list(client: &Client, path: &str) -> Result<Vec<Value>, String> {
    let mut listed = Vec::new();
    let mut cursor = String::new();
    loop {
        let page = shown(client, &format!("{path}?limit={PAGE}{cursor}")).await?;
        listed.extend(page["data"].as_array().cloned().unwrap_or_default());
        match page["next_cursor"].as_str() {
            Some(next) if page["has_more"] == true => cursor = format!("&cursor={next}"),
            _ => return Ok(listed),
        }
    }
}
