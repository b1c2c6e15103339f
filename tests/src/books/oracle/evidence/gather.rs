//! Asks for everything that the oracle compares, once a run has ended.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use futures::{StreamExt, stream};
use reqwest::Method;
use serde_json::Value;

use super::super::rules::Resource;
use super::{Books, Evidence, Lists};
use crate::client::Client;
use crate::shop::{EVENT_TYPES, Shop};
use crate::table::Table;

/// Objects that are read at once.
const AT_ONCE: usize = 16;
/// Items of a page.
const PAGE: usize = 100;

/// How long one question may take: a merchant's plan may allow a few requests a second.
const PATIENCE: Duration = Duration::from_secs(120);

/// All that is to be known about the merchant. `tell` is called with how many payments were read so far.
pub async fn gather(shop: &Shop, table: &Table, mut tell: impl FnMut(usize)) -> Evidence {
    let sent = shop.book.sent();
    let books = Books::read(table, &shop.tenant()).await;
    let payments = Resource::named("payment").map_or("", |resource| resource.path);
    let accepted = sent.iter().filter_map(|sent| Some(format!("{payments}{}", sent.accepted.as_ref()?.id)));
    let others = books.objects().filter(|object| object.resource.path != payments);
    let paths: BTreeSet<String> =
        accepted.chain(others.map(|object| format!("{}{}", object.resource.path, object.id))).collect();
    let mut reading = stream::iter(paths.into_iter().map(|path| (shop.client.clone(), path)))
        .map(|(client, path)| async move {
            let shown = shown(&client, &path).await.unwrap_or_else(Value::String);
            (path.rsplit('/').next().unwrap_or_default().to_owned(), shown)
        })
        .buffer_unordered(AT_ONCE);
    let mut objects = BTreeMap::new();
    while let Some((id, object)) = reading.next().await {
        objects.insert(id, object);
        tell(objects.len());
    }
    Evidence {
        tenant: shop.tenant(),
        sent,
        webhooks: shop.inbox.webhooks(shop.number),
        subscribed: EVENT_TYPES.to_vec(),
        shown: objects,
        balance: shop.balance(PATIENCE).await,
        lists: Lists {
            payments: list(&shop.client, "/payments").await,
            transactions: list(&shop.client, "/balance/transactions").await,
        },
        books,
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
