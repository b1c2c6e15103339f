//! Asks for everything that the oracle compares, once a run has ended.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use futures::{StreamExt, stream};
use reqwest::Method;
use serde_json::Value;

use super::super::rules::Resource;
use super::{Books, Evidence, Lists};
use crate::client::Client;
use crate::load_merchant::{EVENT_TYPES, LoadMerchant};
use crate::refunds::Refund;
use crate::request_log::Sent;
use crate::table::Table;

/// Objects that are read at once.
const AT_ONCE: usize = 16;
/// Items of a page.
const PAGE: usize = 100;

/// How long one question may take: a merchant's plan may allow a few requests a second.
const PATIENCE: Duration = Duration::from_secs(120);

/// All that is to be known about the merchant. `tell` is called with how many payments and refunds were read so far.
pub async fn gather(merchant: &LoadMerchant, table: &Table, mut tell: impl FnMut(usize)) -> Evidence {
    let (sent, refunds) = (merchant.requests.sent(), merchant.requests.refunds());
    let books = Books::read(table, &merchant.tenant()).await;
    let told_of = accepted("payment", &sent).chain(accepted("refund", &refunds));
    let stored = books.objects().filter(|object| object.resource.name != "payment");
    let paths: BTreeSet<String> =
        told_of.chain(stored.map(|object| format!("{}{}", object.resource.path, object.id))).collect();
    let mut reading = stream::iter(paths.into_iter().map(|path| (merchant.client.clone(), path)))
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
        tenant: merchant.tenant(),
        webhooks: merchant.deliveries.webhooks(merchant.number),
        subscribed: EVENT_TYPES.to_vec(),
        shown: objects,
        balance: merchant.balance(PATIENCE).await,
        lists: Lists {
            payments: list(&merchant.client, "/payments").await,
            transactions: list(&merchant.client, "/balance/transactions").await,
            refunds: lists_of_refunds(merchant, &refunds).await,
        },
        sent,
        refunds,
        books,
    }
}

/// Where the API shows what was accepted of these.
fn accepted<Of>(resource: &str, sent: &[Sent<Of>]) -> impl Iterator<Item = String> {
    let path = Resource::named(resource).map_or("", |resource| resource.path);
    sent.iter().filter_map(move |sent| Some(format!("{path}{}", sent.accepted.as_ref()?.id)))
}

/// The refunds of each payment of which one was accepted.
async fn lists_of_refunds(
    merchant: &LoadMerchant, refunds: &[Sent<Refund>],
) -> BTreeMap<String, Result<Vec<Value>, String>> {
    let accepted = refunds.iter().filter(|sent| sent.accepted.is_some());
    let payments: BTreeSet<String> = accepted.map(|sent| sent.request.payment.clone()).collect();
    let lists = stream::iter(payments.into_iter().map(|payment| (merchant.client.clone(), payment)));
    let lists = lists.map(|(client, payment)| async move {
        let listed = list(&client, &format!("/payments/{payment}/refunds")).await;
        (payment, listed)
    });
    lists.buffer_unordered(AT_ONCE).collect().await
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
