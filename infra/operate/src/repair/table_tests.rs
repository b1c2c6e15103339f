//! Two real tables: what the tool reads, decides and writes, and what it does not write because of a later change.

use std::collections::HashMap;

use aws_config::Region;
use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use dynoxide::Database;
use serde_json::{Value, json};
use spillway_domain::id::{ApiKeyId, MerchantId, PaymentId, RefundId};
use spillway_runtime::settings::Environment;
use spillway_runtime::{Context, Effects, config_with};
use spillway_store::{Store, StoredItem};
use tokio::net::TcpListener;

use super::tests::{balance, capture, entry_id, item, now, payment, sound, tenant, with, without};
use super::{RepairError, Report, Scope, Tool, examine, write_back};

/// The tables `restored` and `live`, with the store that the tool uses.
struct Tables {
    database: Database,
    restored: Store,
    live: Store,
}

impl Tables {
    async fn with(restored: &[StoredItem], live: &[StoredItem]) -> Tables {
        let database = Database::memory().unwrap();
        for table in ["restored", "live"] {
            let key = |name: &str, kind: &str| json!({"AttributeName": name, "KeyType": kind});
            let text = |name: &str| json!({"AttributeName": name, "AttributeType": "S"});
            let request = json!({"TableName": table, "BillingMode": "PAY_PER_REQUEST",
                "KeySchema": [key("pk", "HASH"), key("sk", "RANGE")], "AttributeDefinitions": [text("pk"), text("sk")]});
            database.create_table(serde_json::from_value(request).unwrap()).unwrap();
        }
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let served = database.clone();
        tokio::spawn(async move {
            dynoxide::server::serve_with_shutdown(listener, served, std::future::pending()).await.unwrap();
        });
        let environment = |name: &str| {
            let value = match name {
                "AWS_ENDPOINT_URL_DYNAMODB" => url.as_str(),
                "TABLE_NAME" => "live",
                "STORE_DEADLINE_MS" => "9000",
                "STACK_NAME" => "tests",
                "LOG_LEVEL" => "error",
                _ => return None,
            };
            Some(value.to_owned())
        };
        let effects = Effects::real().unwrap();
        let credentials = SharedCredentialsProvider::new(Credentials::new("key", "secret", None, None, "tests"));
        let aws = config_with(Some(Region::from_static("eu-central-1")), credentials, &effects);
        let context: Context<Tool> = Context::new(Environment::new(&environment), effects, &aws).unwrap();
        let tables = Tables { database, restored: context.store.with_table("restored"), live: context.store.clone() };
        for (store, items) in [(&tables.restored, restored), (&tables.live, live)] {
            for item in items {
                assert!(store.write_back(item, None).await.unwrap());
            }
        }
        tables
    }

    async fn examine(&self) -> Report {
        let scope = Scope { merchant: None, id: None, now: now() };
        examine(&self.restored, &self.live, &scope, false).await.unwrap()
    }

    /// Changes an item of the live table as another program does, without `writer`.
    fn change(&self, item: &StoredItem, expression: &str, values: Value) {
        let key = item.key().unwrap();
        let mut request = json!({"TableName": "live", "Key": {"pk": {"S": key.pk}, "sk": {"S": key.sk}},
            "UpdateExpression": expression});
        if !values.is_null() {
            request["ExpressionAttributeValues"] = values;
        }
        self.database.update_item(serde_json::from_value(request).unwrap()).unwrap();
    }

    async fn live(&self, item: &StoredItem) -> Option<StoredItem> {
        self.live.stored_items(&[item.key().unwrap()]).await.unwrap().pop().unwrap()
    }
}

/// A merchant's data without damage, with the payment of each capture.
fn whole() -> Vec<StoredItem> {
    with(&sound(), payment("two", json!({})))
}

/// The id of the payment with this name.
fn pay(name: &str) -> String {
    PaymentId::derive(&[name]).to_string()
}

/// The items without the payment `one`.
fn without_one(items: Vec<StoredItem>) -> Vec<StoredItem> {
    items.into_iter().filter(|item| !item.key().unwrap().pk.ends_with(&pay("one"))).collect()
}

/// An API key under its hash and under its id.
fn key(scopes: &[&str]) -> [StoredItem; 2] {
    let (merchant, id) = (MerchantId::derive(&["m"]).to_string(), ApiKeyId::derive(&["k"]).to_string());
    let attributes = json!({"id": id, "tenant": tenant(), "scopes": scopes, "sha256": "00"});
    [item("key#00", "key", attributes.clone()), item(&format!("{merchant}#keys"), &id, attributes)]
}

#[tokio::test]
async fn a_key_that_is_revoked_between_read_and_write_stays_revoked() {
    let [by_hash, by_id] = key(&["payments:read"]);
    let [damaged, _] = key(&[]);
    for addition in ["revocation", "revoked_by", "wake", "due"] {
        let tables = Tables::with(&[by_hash.clone(), by_id.clone()], &[damaged.clone(), by_id.clone()]).await;
        // A key has no `writer`: a transaction writes it.
        tables.change(&damaged, "REMOVE writer", Value::Null);
        let mut report = tables.examine().await;
        assert!(
            report.to_string().ends_with("1 items can be written back, 0 refused, 0 moved on; all books agree"),
            "{report}"
        );
        let added = HashMap::from([(":added", json!({"S": "2026-02-01T00:00:00.000Z"}))]);
        tables.change(&damaged, &format!("SET {addition} = :added"), json!(added));
        let error = write_back(&tables.live, &mut report).await.unwrap_err();
        assert!(matches!(error, RepairError::Changed { .. }), "{addition}: {error}");
        assert!(tables.live(&damaged).await.unwrap().has(addition));
    }
}

#[tokio::test]
async fn an_attribute_of_the_restored_item_that_is_added_since_is_not_overwritten() {
    let [by_hash, by_id] = key(&["payments:read"]);
    let later = json!({"id": ApiKeyId::derive(&["k"]).to_string(), "tenant": tenant(), "scopes": ["payments:read"],
        "sha256": "00", "of_a_later_version": "a"});
    let tables = Tables::with(&[item("key#00", "key", later), by_id.clone()], &[by_hash.clone(), by_id]).await;
    tables.change(&by_hash, "REMOVE writer", Value::Null);
    let mut report = tables.examine().await;
    tables.change(&by_hash, "SET of_a_later_version = :b", json!({":b": {"S": "b"}}));
    let error = write_back(&tables.live, &mut report).await.unwrap_err();
    assert!(matches!(error, RepairError::Changed { .. }), "{error}");
    assert_eq!(tables.live(&by_hash).await.unwrap().text("of_a_later_version"), Some("b"));
}

#[tokio::test]
async fn what_is_unchanged_is_written_and_then_nothing_differs() {
    let lost = without(&without_one(whole()), &entry_id("one"));
    let tables = Tables::with(&whole(), &lost).await;
    let mut report = tables.examine().await;
    write_back(&tables.live, &mut report).await.unwrap();
    assert!(
        report.to_string().ends_with("2 items were written back, 0 refused, 0 moved on; all books agree"),
        "{report}"
    );
    assert_eq!(
        tables.examine().await.to_string(),
        "0 items can be written back, 0 refused, 0 moved on; all books agree"
    );
}

#[tokio::test]
async fn a_balance_that_is_folded_between_read_and_write_is_not_overwritten() {
    let tables = Tables::with(&whole(), &without(&whole(), "USD")).await;
    let mut report = tables.examine().await;
    // The first fold of a balance that does not exist.
    let first = balance(500, 1, &["two"]);
    assert!(tables.live.write_back(&first, None).await.unwrap());
    let error = write_back(&tables.live, &mut report).await.unwrap_err();
    assert!(matches!(error, RepairError::Changed { .. }), "{error}");
    assert_eq!(tables.live(&first).await.unwrap().number("available"), Some(500));
}

/// A refund of payment `one` after the restore: its entry is left, and its item and the payment are lost.
fn refunded_and_lost(refund: &str) -> Vec<StoredItem> {
    let id = entry_id("refund");
    let postings = json!([{"account": "merchant", "side": "debit", "amount": 100},
        {"account": "processor_receivable", "side": "credit", "amount": 100}]);
    let entry = json!({"id": id, "type": "refund", "currency": "USD", "postings": postings,
        "available_on": "2026-02-02", "source": refund, "request_id": "r", "created_at": "2026-02-01T12:00:00.000Z"});
    let lost = without_one(whole());
    // 1,184 - 100 are folded.
    with(&with(&lost, item(&format!("{}#journal#0", tenant()), &id, entry)), balance(1084, 3, &[]))
}

#[tokio::test]
async fn a_payment_whose_later_refund_is_lost_too_is_refused_and_its_merchant_is_to_be_suspended() {
    let refund = RefundId::derive(&["r"]).to_string();
    let tables = Tables::with(&whole(), &refunded_and_lost(&refund)).await;
    let report = tables.examine().await.to_string();
    let expected = format!("orphan      refund {refund} of {} is in neither table, but other items name it", tenant());
    assert!(report.contains(&expected), "{report}");
    assert!(report.contains(&format!("missing: {refund} of {} is in neither table", tenant())), "{report}");
    assert!(report.contains(&format!("suspend     {}: suspend this merchant until", tenant())), "{report}");
    assert!(report.ends_with("0 items can be written back, 1 refused, 1 moved on; all books agree"), "{report}");
}

#[tokio::test]
async fn entries_movements_events_and_refunds_name_orphans_and_an_endpoints_event_names_none() {
    let event = |id: &str, source: &str| item(&format!("{}#events#0", tenant()), id, json!({"source": source}));
    let refund = RefundId::derive(&["r"]).to_string();
    let [entry, _] = capture("by-entry", 10);
    let [_, movement] = capture("by-movement", 20);
    let live = [
        entry,
        movement,
        event("evt_1", &pay("by-event")),
        event("evt_2", "we_1"),
        event("evt_3", &pay("restored")),
        event("evt_4", &pay("live")),
        payment("live", json!({})),
        item(&format!("{}#{refund}", tenant()), "refund", json!({"payment": pay("by-refund")})),
    ];
    let tables = Tables::with(&[payment("restored", json!({}))], &live).await;
    let report = tables.examine().await;
    let expected = ["by-entry", "by-movement", "by-event", "by-refund"].map(pay);
    assert_eq!(report.orphans[&tenant()], expected.into(), "{report}");
    // Orphans alone ask for a suspension too.
    let report = Tables::with(&[], &live).await.examine().await;
    assert!(report.decided.is_empty() && report.to_string().contains("\nsuspend     "), "{report}");
}

#[tokio::test]
async fn a_missing_payment_that_is_refused_asks_for_a_suspension_and_a_damaged_one_does_not() {
    // Its later refund exists, so it has changed since.
    let refund = item(
        &format!("{}#{}", tenant(), RefundId::derive(&["r"])),
        "refund",
        json!({"payment": pay("one"), "version": 1}),
    );
    let restored = whole();
    let missing = with(&without_one(whole()), refund.clone());
    let report = Tables::with(&restored, &missing).await.examine().await.to_string();
    assert!(report.contains("it has changed since: refund") && report.contains("\nsuspend     "), "{report}");
    let damaged = with(&with(&restored, refund), payment("one", json!({"amount_captured": 1})));
    let report = Tables::with(&restored, &damaged).await.examine().await.to_string();
    assert!(report.contains("it has changed since: refund") && !report.contains("suspend"), "{report}");
}
