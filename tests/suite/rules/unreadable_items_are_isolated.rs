//! An unreadable item is named in an error line and counted. The items beside it are served and processed.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};
use spillway_tests::oracle::Books;
use spillway_tests::pages::{data, ids, walk};
use spillway_tests::queues::copies;
use spillway_tests::receiver::{Receiver, Reply};
use spillway_tests::{Deadline, Merchant, Options, Stack, Template, clock, event, eventually};

const DONE: &str = r#"{"batchItemFailures":[]}"#;

async fn start(options: Options) -> (Stack, Merchant) {
    let stack = Stack::start(options.template(Template::without_triggers()).keep_lines().unkilled()).await;
    let merchant = stack.new_merchant().await;
    (stack, merchant)
}

async fn work(stack: &Stack, function: &str, message: Value) {
    let answer = stack.invoke(function, &event::sqs(&[message])).await.unwrap();
    assert_eq!(answer.to_string(), DONE, "{function}");
}

/// Creates and posts a payment of 1250; returns its id.
async fn post(stack: &Stack, merchant: &Merchant, currency: &str) -> String {
    let id = merchant.client.pay(1250, currency, "tok_visa").await;
    work(stack, "call-processor", event::payment_message(&merchant.id, &id)).await;
    id
}

/// Replaces a number of the item by a text, which makes it unreadable.
async fn spoil(stack: &Stack, pk: &str, sk: &str, number: &str) {
    stack.table().update(pk, sk, &format!("SET {number} = :rubbish"), json!({":rubbish": {"S": "rubbish"}})).await;
}

/// The lines of the function `name`.
fn lines(stack: &Stack, name: &str) -> Vec<Map<String, Value>> {
    stack.printed(name).concat().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// Keys of the items that the function's error lines name as unreadable, and the metric's count.
fn named(stack: &Stack, name: &str) -> (BTreeSet<(String, String)>, u64) {
    let lines = lines(stack, name);
    let text = |line: &Map<String, Value>, field: &str| line[field].as_str().unwrap().to_owned();
    let named = lines.iter().filter(|line| line["message"] == "an item can't be read");
    let keys =
        named.inspect(|line| assert_eq!(line["level"], "ERROR")).map(|line| (text(line, "pk"), text(line, "sk")));
    (keys.collect(), lines.iter().filter_map(|line| line.get("ItemsUnreadable")?.as_u64()).sum())
}

/// Waits until the function has named exactly these items, and counted each at least once.
async fn names(stack: &Stack, function: &str, expected: &[(&str, &str)]) {
    let expected = expected.iter().map(|(pk, sk)| ((*pk).to_owned(), (*sk).to_owned())).collect::<BTreeSet<_>>();
    eventually(&format!("{function} names what it can't read"), Deadline::SOON, async || {
        let (named, counted) = named(stack, function);
        let all = named == expected && counted >= u64::try_from(expected.len()).unwrap();
        if all { Ok(()) } else { Err(format!("{counted} counted, {named:?}")) }
    })
    .await;
}

#[tokio::test]
async fn a_list_of_payments_skips_unreadable_ones() {
    let (stack, merchant) = start(Options::new()).await;
    let mut paid = Vec::new();
    for _ in 0..5 {
        paid.push(merchant.client.pay(1250, "USD", "tok_visa").await);
    }
    let bad = paid.remove(2);
    let key = (format!("{}#{bad}", merchant.tenant()), "payment");
    spoil(&stack, &key.0, key.1, "version").await;
    let expected = BTreeSet::from_iter(paid);
    for query in ["", "&currency=USD", "&status=processing"] {
        for limit in [1, 2, 100] {
            let pages = walk(&merchant.client, "/payments", limit, query).await;
            let listed = ids(pages.iter().flatten());
            assert_eq!((listed.len(), listed.into_iter().collect()), (4, expected.clone()), "{limit}{query}");
        }
    }
    names(&stack, "list-payments", &[(&key.0, key.1)]).await;
    merchant.client.get(&format!("/payments/{bad}")).await.expect_problem(500, "internal_error");
    names(&stack, "get-payment", &[(&key.0, key.1)]).await;
    // The error does not repeat the item's text.
    assert!(!stack.all_printed().contains("\\\"rubbish\\\""), "{}", stack.all_printed());
}

#[tokio::test]
async fn a_list_of_balance_transactions_skips_unreadable_ones() {
    let (stack, merchant) = start(Options::new()).await;
    for _ in 0..5 {
        post(&stack, &merchant, "USD").await;
    }
    let books = Books::read(&stack.table(), &merchant.tenant()).await;
    let text = |number: usize, field: &str| books.entries[number][field].as_str().unwrap();
    spoil(&stack, text(2, "pk"), text(2, "sk"), "postings").await;
    let expected: BTreeSet<String> = [0, 1, 3, 4].map(|number| text(number, "id").to_owned()).into();
    for query in ["", "&currency=USD"] {
        for limit in [1, 2, 100] {
            let pages = walk(&merchant.client, "/balance/transactions", limit, query).await;
            let listed = ids(pages.iter().flatten());
            assert_eq!((listed.len(), listed.into_iter().collect()), (4, expected.clone()), "{limit}{query}");
        }
    }
    names(&stack, "list-balance-transactions", &[(text(2, "pk"), text(2, "sk"))]).await;
}

fn movement(merchant: &Merchant, currency: &str, number: usize, others: Value) -> Value {
    let mut item = json!({"pk": {"S": format!("{}#movements#0", merchant.tenant())},
        "sk": {"S": format!("move#{currency}#2026-02-02#txn_01m8f8vhsn00{number:014}")}});
    for (name, value) in others.as_object().unwrap() {
        item[name] = value.clone();
    }
    item
}

async fn folded(stack: &Stack, merchant: &Merchant, currency: &str) -> Value {
    work(stack, "fold-balance", event::balance_message(&merchant.id, currency)).await;
    let balance = stack.table().item(&format!("{}#balances", merchant.tenant()), currency).await;
    balance.map_or(Value::Null, |balance| balance["available"].clone())
}

#[tokio::test]
async fn a_fold_needs_only_a_movements_key_and_amount() {
    let (stack, merchant) = start(Options::new()).await;
    let unknown = json!({"amount": {"N": "100"}, "source": {"S": "re_not_known_yet"}, "reason": {"M": {}}});
    stack
        .table()
        .put_all(&[
            movement(&merchant, "USD", 0, unknown),
            movement(&merchant, "USD", 1, json!({"amount": {"N": "-30"}})),
        ])
        .await;
    assert_eq!(merchant.client.balance("USD").await, (70, 0));
    assert_eq!(folded(&stack, &merchant, "USD").await, 70);
    names(&stack, "fold-balance", &[]).await;
}

#[tokio::test]
async fn an_unreadable_movement_blocks_no_other() {
    // More than a fold reads in each shard, before the readable ones.
    const UNREADABLE: usize = 251;
    let (stack, merchant) = start(Options::new()).await;
    let bad: Vec<Value> =
        (0..UNREADABLE).map(|number| movement(&merchant, "USD", number, json!({"amount": {"S": "rubbish"}}))).collect();
    let good = json!({"amount": {"N": "100"}});
    let good = [movement(&merchant, "USD", 999, good.clone()), movement(&merchant, "EUR", 0, good)];
    stack.table().put_all(&bad).await;
    stack.table().put_all(&good).await;
    assert_eq!(folded(&stack, &merchant, "USD").await, 100);
    assert_eq!(folded(&stack, &merchant, "EUR").await, 100);
    let key =
        |item: &Value| (item["pk"]["S"].as_str().unwrap().to_owned(), item["sk"]["S"].as_str().unwrap().to_owned());
    let bad: Vec<(String, String)> = bad.iter().map(key).collect();
    let bad: Vec<(&str, &str)> = bad.iter().map(|(pk, sk)| (pk.as_str(), sk.as_str())).collect();
    names(&stack, "fold-balance", &bad).await;
    // Unreadable items stay, to be repaired.
    let books = Books::read(&stack.table(), &merchant.tenant()).await;
    let left = books.movements.iter().filter(|movement| movement["amount"] == "rubbish").count();
    assert_eq!(left, UNREADABLE);
    // Once repaired, it is folded too.
    for (number, (pk, sk)) in bad.into_iter().enumerate() {
        stack.table().update(pk, sk, "SET amount = :one", json!({":one": {"N": (number % 2 + 1).to_string()}})).await;
    }
    // 126 times 1 and 125 times 2.
    assert_eq!(folded(&stack, &merchant, "USD").await, 100 + 376);
}

/// The line of a currency in the balance.
async fn line(merchant: &Merchant, currency: &str) -> Value {
    let answer = merchant.client.get("/balance").await.expect(200).body;
    let lines = answer["balances"].as_array().unwrap().iter().filter(|line| line["currency"] == currency);
    let lines: Vec<&Value> = lines.collect();
    assert_eq!(lines.len(), 1, "{answer}");
    lines[0].clone()
}

/// Fails the test unless exactly this currency has an internal error.
async fn only_unknown(merchant: &Merchant, currency: &str, usd: Value) {
    let line = line(merchant, currency).await;
    let amounts = [&line["available"], &line["pending"]];
    assert_eq!((amounts, &line["error"]["code"]), ([&Value::Null; 2], &json!("internal_error")), "{line}");
    assert!(line["error"]["detail"].as_str().is_some_and(|detail| detail.ends_with('.')), "{line}");
    assert_eq!(self::line(merchant, "USD").await, usd);
}

#[tokio::test]
async fn an_inexact_balance_is_an_error_of_its_currency_only() {
    let (stack, merchant) = start(Options::new()).await;
    for currency in ["USD", "EUR", "JPY"] {
        post(&stack, &merchant, currency).await;
    }
    work(&stack, "fold-balance", event::balance_message(&merchant.id, "JPY")).await;
    let usd = json!({"currency": "USD", "available": 0, "pending": 1184});
    assert_eq!(line(&merchant, "USD").await, usd);
    // A movement.
    let books = Books::read(&stack.table(), &merchant.tenant()).await;
    let euros = books.movements.iter().find(|movement| movement["sk"].as_str().unwrap().starts_with("move#EUR"));
    let (pk, sk) = (euros.unwrap()["pk"].as_str().unwrap(), euros.unwrap()["sk"].as_str().unwrap());
    spoil(&stack, pk, sk, "amount").await;
    only_unknown(&merchant, "EUR", usd.clone()).await;
    // A balance.
    let balances = format!("{}#balances", merchant.tenant());
    spoil(&stack, &balances, "JPY", "available").await;
    only_unknown(&merchant, "JPY", usd.clone()).await;
    // A currency that this version does not know.
    let strange = movement(&merchant, "XXA", 0, json!({"amount": {"N": "5"}}));
    stack.table().put(strange.clone()).await;
    only_unknown(&merchant, "XXA", usd.clone()).await;
    // A balance that is too large.
    let most = json!({"pk": {"S": balances}, "sk": {"S": "KWD"}, "available": {"N": i64::MAX.to_string()}, "seq": {"N": "1"},
        "pending": {"M": {"2026-01-31": {"N": "1"}}}, "folding": {"L": []}});
    stack.table().put(most).await;
    only_unknown(&merchant, "KWD", usd.clone()).await;
    // An item without a currency.
    let nowhere = movement(&merchant, "rubbish", 0, json!({"amount": {"N": "5"}}));
    stack.table().put(nowhere.clone()).await;
    assert_eq!(line(&merchant, "USD").await, usd);
    let key =
        |item: &Value| (item["pk"]["S"].as_str().unwrap().to_owned(), item["sk"]["S"].as_str().unwrap().to_owned());
    let (strange, nowhere) = (key(&strange), key(&nowhere));
    names(&stack, "get-balance", &[(pk, sk), (&balances, "JPY"), (&strange.0, &strange.1), (&nowhere.0, &nowhere.1)])
        .await;
    // The others are folded.
    assert_eq!(folded(&stack, &merchant, "USD").await, 0);
    assert_eq!(line(&merchant, "USD").await, usd);
}

#[tokio::test]
async fn a_misplaced_movement_is_not_folded_repeatedly() {
    let (stack, merchant) = start(Options::new()).await;
    // Its entry is on shard 1, from which a fold would delete it.
    let mut stray = movement(&merchant, "USD", 0, json!({"amount": {"N": "100"}}));
    let sk = stray["sk"]["S"].as_str().unwrap().replace("vhsn00", "vhsn01");
    stray["sk"] = json!({"S": sk});
    stack.table().put(stray).await;
    for _ in 0..3 {
        assert_eq!(folded(&stack, &merchant, "USD").await, 0);
    }
    only_unknown(&merchant, "USD", line(&merchant, "USD").await).await;
    names(&stack, "fold-balance", &[(&format!("{}#movements#0", merchant.tenant()), &sk)]).await;
}

#[tokio::test]
async fn an_unknown_due_item_blocks_no_other() {
    // More than a page of the sweep before each payment: some without permission, some without a time.
    const RUBBISH: usize = 210;
    let options = Options::new().knob("FIRST_DUE_SECONDS", 1).knob("STORE_DEADLINE_MS", 9000);
    let (stack, merchant) = start(options).await;
    let [overdue, strange] = [(); 2].map(|()| merchant.client.pay(1250, "USD", "tok_visa"));
    let (overdue, strange) = (overdue.await, strange.await);
    let partition = |id: &str| format!("{}#{id}", merchant.tenant());
    let never = json!({":never": {"S": "2026-01-never"}});
    stack.table().update(&partition(&strange), "payment", "SET due_at = :never", never).await;
    let stored = stack.table().item(&partition(&overdue), "payment").await.unwrap();
    let other = stack.table().item(&partition(&strange), "payment").await.unwrap();
    let rubbish = |number: usize| {
        let pk =
            if number.is_multiple_of(2) { "rubbish".to_owned() } else { format!("{}#balances", merchant.tenant()) };
        let due = if number < RUBBISH { &stored["due"] } else { &other["due"] };
        json!({"pk": {"S": pk}, "sk": {"S": format!("rubbish-{number}")}, "due": {"S": due},
            "due_at": {"S": "2026-01-31T12:00:00.000Z"}, "due_claims": {"S": "rubbish"}})
    };
    let rubbish: Vec<Value> = (0..2 * RUBBISH).map(rubbish).collect();
    stack.table().put_all(&rubbish).await;
    eventually("it is due", Deadline::SOON, async || {
        if stored["due_at"].as_str().unwrap() < clock::now().as_str() { Ok(()) } else { Err(clock::now()) }
    })
    .await;
    let queues = stack.queues();
    let queue = queues.url("ProcessorQueue").await;
    assert!(stack.invoke("enqueue-due", &event::tick()).await.is_ok());
    assert_eq!(queues.depth(&queue).await, 2 * copies());
    let key =
        |item: &Value| (item["pk"]["S"].as_str().unwrap().to_owned(), item["sk"]["S"].as_str().unwrap().to_owned());
    let rubbish: Vec<(String, String)> = rubbish.iter().map(key).collect();
    let rubbish: Vec<(&str, &str)> = rubbish.iter().map(|(pk, sk)| (pk.as_str(), sk.as_str())).collect();
    names(&stack, "enqueue-due", &rubbish).await;
}

#[tokio::test]
async fn an_unreadable_endpoint_blocks_no_other_and_misses_no_event() {
    let (stack, merchant) = start(Options::new()).await;
    let (receiver, other) = (Receiver::start().await, Receiver::start().await);
    let bad = merchant.client.create_webhook_endpoint(receiver.url(), &["payment.*"]).await;
    merchant.client.create_webhook_endpoint(other.url(), &["payment.*"]).await;
    let key = (format!("{}#webhooks", merchant.tenant()), bad["id"].as_str().unwrap());
    spoil(&stack, &key.0, key.1, "version").await;
    let payment = post(&stack, &merchant, "USD").await;
    let books = Books::read(&stack.table(), &merchant.tenant()).await;
    let event = books.events_of(&payment)[0]["sk"].as_str().unwrap();
    for _ in 0..2 {
        work(&stack, "deliver-webhook", event::event_message(&merchant.id, event)).await;
        assert_eq!((receiver.attempts().len(), other.attempts().len()), (0, 1));
    }
    names(&stack, "deliver-webhook", &[(&key.0, key.1)]).await;
    // It stays due until the endpoint is readable.
    let due = async || Books::read(&stack.table(), &merchant.tenant()).await.events[0].contains_key("due");
    assert!(due().await);
    stack.table().update(&key.0, key.1, "SET version = :one", json!({":one": {"N": "1"}})).await;
    work(&stack, "deliver-webhook", event::event_message(&merchant.id, event)).await;
    assert_eq!((receiver.attempts().len(), other.attempts().len(), due().await), (1, 1, false));
}

#[tokio::test]
async fn a_delivery_to_an_unreadable_endpoint_is_not_given_up() {
    let (stack, merchant) = start(Options::new().knob("WEBHOOK_WAITS_SECONDS", "0,0")).await;
    let receiver = Receiver::scripted([Reply::Status(500)]).await;
    let bad = merchant.client.create_webhook_endpoint(receiver.url(), &["payment.*"]).await;
    let payment = post(&stack, &merchant, "USD").await;
    let books = Books::read(&stack.table(), &merchant.tenant()).await;
    let event = books.events_of(&payment)[0]["sk"].as_str().unwrap();
    work(&stack, "deliver-webhook", event::event_message(&merchant.id, event)).await;
    let endpoints = format!("{}#webhooks", merchant.tenant());
    spoil(&stack, &endpoints, bad["id"].as_str().unwrap(), "version").await;
    let retry = event::delivery_message(&merchant.id, event, bad["id"].as_str().unwrap());
    work(&stack, "deliver-webhook", retry.clone()).await;
    let delivery = || async { Books::read(&stack.table(), &merchant.tenant()).await.deliveries[0].clone() };
    let waits = delivery().await;
    assert_eq!((&waits["status"], waits.contains_key("due")), (&json!("pending"), true), "{waits:?}");
    stack
        .table()
        .update(&endpoints, bad["id"].as_str().unwrap(), "SET version = :one", json!({":one": {"N": "1"}}))
        .await;
    work(&stack, "deliver-webhook", retry).await;
    assert_eq!(delivery().await["status"], "succeeded");
}

#[tokio::test]
async fn an_unreadable_delivery_blocks_no_other() {
    let (stack, merchant) = start(Options::new()).await;
    let (receiver, other) = (Receiver::start().await, Receiver::start().await);
    let bad = merchant.client.create_webhook_endpoint(receiver.url(), &["payment.*"]).await;
    let payment = post(&stack, &merchant, "USD").await;
    let books = Books::read(&stack.table(), &merchant.tenant()).await;
    let event = &books.events_of(&payment)[0];
    let id = event["sk"].as_str().unwrap();
    work(&stack, "deliver-webhook", event::event_message(&merchant.id, id)).await;
    let partition = format!("{}#{id}", merchant.tenant());
    spoil(&stack, &partition, bad["id"].as_str().unwrap(), "attempts").await;
    merchant.client.create_webhook_endpoint(other.url(), &["payment.*"]).await;
    work(&stack, "deliver-webhook", event::event_message(&merchant.id, id)).await;
    assert_eq!((receiver.attempts().len(), other.attempts().len()), (1, 1));
    names(&stack, "deliver-webhook", &[(&partition, bad["id"].as_str().unwrap())]).await;
}

#[tokio::test]
async fn a_page_skips_any_number_of_unreadable_items() {
    let (stack, merchant) = start(Options::new()).await;
    let oldest = merchant.client.pay(1250, "USD", "tok_visa").await;
    for _ in 0..3 {
        let id = merchant.client.pay(1250, "USD", "tok_visa").await;
        spoil(&stack, &format!("{}#{id}", merchant.tenant()), "payment", "version").await;
    }
    let page = merchant.client.get("/payments?limit=1").await.expect(200);
    assert_eq!(ids(data(&page)), [oldest]);
}
