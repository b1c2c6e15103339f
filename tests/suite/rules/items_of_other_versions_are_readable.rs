//! Items and messages of version 0.1.0 are readable: `fixtures/0.1.0.json`, which that version wrote with
//! `WRITE_FIXTURE=1` and which never changes. Additions of newer versions are kept.

use std::fs;
use std::path::PathBuf;

use serde_json::{Map, Value, json};
use spillway_tests::client::unique;
use spillway_tests::{Merchant, Options, Stack, Template, event, make};

const REFERENCE: &str = "fixture";

fn file() -> PathBuf {
    make::root().join("tests/fixtures/0.1.0.json")
}

/// A value in DynamoDB's JSON.
fn attribute(value: &Value) -> Value {
    match value {
        Value::String(text) => json!({"S": text}),
        Value::Number(number) => json!({"N": number.to_string()}),
        Value::Bool(is) => json!({"BOOL": is}),
        Value::Null => json!({"NULL": true}),
        Value::Array(values) => json!({"L": values.iter().map(attribute).collect::<Vec<_>>()}),
        Value::Object(members) => json!({"M": attributes(members)}),
    }
}

fn attributes(item: &Map<String, Value>) -> Value {
    item.iter().map(|(name, value)| (name.clone(), attribute(value))).collect()
}

async fn start() -> (Stack, Merchant) {
    let stack = Stack::start(Options::new().template(Template::without_triggers())).await;
    let merchant = stack.new_merchant_with(json!({"reference": REFERENCE})).await;
    (stack, merchant)
}

async fn work(stack: &Stack, function: &str, message: Value) {
    let answer = stack.invoke(function, &event::sqs(std::slice::from_ref(&message))).await.unwrap();
    assert_eq!(answer, json!({"batchItemFailures": []}), "{function} {message}");
}

/// Items in each state, the messages about them, and what the API shows.
async fn write() {
    let (stack, merchant) = start().await;
    let client = &merchant.client;
    client.create_webhook_endpoint("http://127.0.0.1:9/hook", &["payment.*", "refund.*"]).await;
    let mut paths = vec!["/payments".to_owned(), "/balance/transactions".to_owned()];
    let mut messages = Vec::new();
    let mut paid = Vec::new();
    for token in ["tok_visa", "tok_declined", "tok_timeout_unknown", "tok_refund_fails"] {
        let payment = json!({"amount": 1250, "currency": "USD", "token": token, "description": "Order 1001",
            "reference": "order-1001", "customer": "cus_77", "metadata": {"cart": "7"}});
        let id = client.create_payment(&unique(), &payment).await.expect(202).id().to_owned();
        work(&stack, "call-processor", event::payment_message(&merchant.id, &id)).await;
        messages.push(json!({"function": "call-processor", "body": event::payment_message(&merchant.id, &id)}));
        paths.extend([format!("/payments/{id}"), format!("/payments/{id}/refunds")]);
        paid.push(id);
    }
    // The balance is folded before the refunds.
    work(&stack, "fold-balance", event::balance_message(&merchant.id, "USD")).await;
    for (payment, amount, is_ended) in [(&paid[0], 100, true), (&paid[0], 200, false), (&paid[3], 300, true)] {
        let refund = client.refund_request(payment, &unique(), amount).send().await.expect(202).id().to_owned();
        let message = event::refund_message(&merchant.id, &refund);
        if is_ended {
            work(&stack, "call-processor", message.clone()).await;
        }
        messages.push(json!({"function": "call-processor", "body": message}));
        paths.push(format!("/refunds/{refund}"));
    }
    messages.push(json!({"function": "fold-balance", "body": event::balance_message(&merchant.id, "USD")}));
    let items = stack.table().items().await;
    let events: Vec<&str> =
        items.iter().filter_map(|item| item["sk"].as_str()).filter(|sk| sk.starts_with("evt_")).collect();
    work(&stack, "deliver-webhook", event::event_message(&merchant.id, events[0])).await;
    messages.extend(
        events.iter().map(|id| json!({"function": "deliver-webhook", "body": event::event_message(&merchant.id, id)})),
    );
    let mut shown = Map::new();
    for path in paths {
        shown.insert(path.clone(), client.get(&path).await.expect(200).body);
    }
    let kept = |item: &&Map<String, Value>| {
        let pk = item["pk"].as_str().unwrap();
        pk.contains(merchant.id.as_str()) || pk.starts_with("sandbox#")
    };
    let items = stack.table().items().await;
    let fixture = json!({"items": items.iter().filter(kept).collect::<Vec<_>>(), "messages": messages, "shown": shown,
        "balance": total(&merchant).await});
    fs::write(file(), serde_json::to_string_pretty(&fixture).unwrap() + "\n").unwrap();
}

/// Available and pending together: the one becomes the other with time.
async fn total(merchant: &Merchant) -> i64 {
    let (available, pending) = merchant.client.balance("USD").await;
    available + pending
}

#[tokio::test]
async fn items_and_messages_of_version_0_1_0_are_read() {
    if std::env::var_os("WRITE_FIXTURE").is_some() {
        write().await;
    }
    let fixture: Value = serde_json::from_str(&fs::read_to_string(file()).unwrap()).unwrap();
    let (stack, merchant) = start().await;
    let items = fixture["items"].as_array().unwrap().iter().map(|item| item.as_object().unwrap());
    // This stack's gateway knows only its own keys.
    for item in items.clone().filter(|item| !item["pk"].as_str().unwrap().ends_with("#keys")) {
        // Events and deliveries would have expired.
        let mut item = item.clone();
        item.remove("expires_at").map(|_| item.insert("expires_at".to_owned(), json!(4_000_000_000_u64)));
        if item["sk"] != "merchant" {
            stack.table().put(attributes(&item)).await;
        }
    }
    for (path, body) in fixture["shown"].as_object().unwrap() {
        assert_eq!(&merchant.client.get(path).await.expect(200).body, body, "{path}");
    }
    assert_eq!(total(&merchant).await, fixture["balance"].as_i64().unwrap());
    for message in fixture["messages"].as_array().unwrap() {
        work(&stack, message["function"].as_str().unwrap(), message["body"].clone()).await;
    }
    // All is folded; one more refund fails and moves nothing.
    assert_eq!(total(&merchant).await, fixture["balance"].as_i64().unwrap());
    let stored = items.clone().find(|item| item["sk"] == "merchant").unwrap();
    stack.table().put(attributes(stored)).await;
    stack.invoke("update-merchant", &json!({"merchant": merchant.id, "name": "Acme & Sons"})).await.unwrap();
}

#[tokio::test]
async fn movements_and_entries_of_newer_versions_are_readable() {
    let (stack, merchant) = start().await;
    let (tenant, source) = (merchant.tenant(), "tol_7ccpzn4gffpza71gj3mr6qsffj");
    let id = "txn_01m8f8vhsn007ccpzn4gffpza7";
    let entry = json!({"pk": format!("{tenant}#journal#0"), "sk": id, "id": id, "type": "toll", "currency": "USD",
        "available_on": "2026-02-02", "source": source, "request_id": "r", "created_at": "2026-01-31T12:00:00.000Z",
        "toll_road": 7, "postings": [{"account": "toll_receivable", "side": "debit", "amount": 70},
            {"account": "merchant", "side": "credit", "amount": 70}]});
    let movement = json!({"pk": format!("{tenant}#movements#0"), "sk": format!("move#USD#2026-02-02#{id}"),
        "amount": 70, "source": source, "lane": 3});
    for item in [entry, movement] {
        stack.table().put(attributes(item.as_object().unwrap())).await;
    }
    for _ in 0..2 {
        assert_eq!(merchant.client.balance("USD").await, (70, 0));
        work(&stack, "fold-balance", event::balance_message(&merchant.id, "USD")).await;
    }
    let shown = merchant.client.get("/balance/transactions").await.expect(200).body["data"][0].clone();
    assert_eq!((&shown["type"], &shown["source"], &shown["net"]), (&json!("toll"), &json!(source), &json!(70)));
}

#[tokio::test]
async fn an_expired_event_is_ignored_before_its_deletion() {
    let (stack, merchant) = start().await;
    let endpoint = merchant.client.create_webhook_endpoint("http://127.0.0.1:9/hook", &["payment.*"]).await;
    let payment = merchant.client.pay(1250, "USD", "tok_visa").await;
    work(&stack, "call-processor", event::payment_message(&merchant.id, &payment)).await;
    let items = stack.table().items().await;
    let event = items.iter().find(|item| item["sk"].as_str().unwrap().starts_with("evt_")).unwrap();
    let (pk, sk) = (event["pk"].as_str().unwrap(), event["sk"].as_str().unwrap());
    // Thirty days, in seconds.
    let made = event["timestamp"].as_str().unwrap();
    assert!(event["expires_at"].as_i64().unwrap() > 1_700_000_000 + 30 * 86_400, "{made}");
    let past = json!({":past": {"N": "1"}, ":due": {"S": "2026-01-31T12:00:00.000Z"}});
    stack.table().update(pk, sk, "SET expires_at = :past, due_at = :due", past).await;
    work(&stack, "deliver-webhook", event::event_message(&merchant.id, sk)).await;
    let delivery = format!("{}#{sk}", merchant.tenant());
    assert!(stack.table().item(&delivery, endpoint["id"].as_str().unwrap()).await.is_none(), "nothing is attempted");
    stack.run_due().await;
    let queues = stack.queues();
    assert_eq!(queues.depth(&queues.url("WebhooksQueue").await).await, 0, "nor is it enqueued again");
}
