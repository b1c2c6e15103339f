//! Reads everything that the oracle compares, after a run.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use futures::{StreamExt, stream};
use reqwest::Method;
use serde_json::Value;

use super::{Evidence, Lists};
use crate::client::Client;
use crate::load_merchant::{EVENT_TYPES, LoadMerchant};
use crate::oracle::Books;
use crate::oracle::rules::Resource;
use crate::refunds::Refund;
use crate::request_log::Sent;
use crate::table::Table;

/// Number of concurrent reads.
const AT_ONCE: usize = 16;
/// Page size.
const PAGE: usize = 100;

/// Time limit of one request: a merchant's plan may allow few requests a second.
const PATIENCE: Duration = Duration::from_secs(120);

/// Reads all evidence about the merchant. `on_progress` is called with the number of payments and refunds read so far.
pub async fn gather(merchant: &LoadMerchant, table: &Table, mut on_progress: impl FnMut(usize)) -> Evidence {
    let (sent, refunds) = (merchant.requests.sent(), merchant.requests.refunds());
    let books = Books::read(table, &merchant.tenant()).await;
    let created = accepted("payment", &sent).chain(accepted("refund", &refunds));
    let stored = books.objects().filter(|object| object.resource.name != "payment");
    let paths: BTreeSet<String> =
        created.chain(stored.map(|object| format!("{}{}", object.resource.path, object.id))).collect();
    let mut reading = stream::iter(paths.into_iter().map(|path| (merchant.client.clone(), path)))
        .map(|(client, path)| async move {
            let shown = shown(&client, &path).await.unwrap_or_else(Value::String);
            (path.rsplit('/').next().unwrap_or_default().to_owned(), shown)
        })
        .buffer_unordered(AT_ONCE);
    let mut objects = BTreeMap::new();
    while let Some((id, object)) = reading.next().await {
        objects.insert(id, object);
        on_progress(objects.len());
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

/// Paths of the accepted objects.
fn accepted<Of>(resource: &str, sent: &[Sent<Of>]) -> impl Iterator<Item = String> {
    let path = Resource::named(resource).map_or("", |resource| resource.path);
    sent.iter().filter_map(move |sent| Some(format!("{path}{}", sent.accepted.as_ref()?.id)))
}

/// Lists of refunds of each payment with an accepted refund.
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

/// The body of a GET; `Err` is any other answer in words.
async fn shown(client: &Client, path: &str) -> Result<Value, String> {
    let answer = client.request(Method::GET, path).send_patiently(PATIENCE).await.answer()?;
    if answer.status == 200 { Ok(answer.body) } else { Err(answer.described()) }
}

/// A list with all its pages; `Err` is an answer other than a page.
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
