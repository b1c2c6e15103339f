//! A write changes only its own attributes: not those of concurrent writes, and not those that a newer version of the
//! code has added.

use futures::future::join;
use serde_json::{Value, json};
use spillway_tests::oracle::{Books, in_days};
use spillway_tests::receiver::{Receiver, Reply};
use spillway_tests::store_proxy::Matching;
use spillway_tests::{Merchant, Options, Stack, Template, event};

const DONE: &str = r#"{"batchItemFailures":[]}"#;

async fn work(stack: &Stack, function: &str, message: Value) {
    let answer = stack.invoke(function, &event::sqs(&[message])).await.unwrap();
    assert_eq!(answer.to_string(), DONE, "{function}");
}

/// Posts a payment of 1250, whose net is 1184.
async fn post(stack: &Stack, merchant: &Merchant) -> String {
    let id = merchant.client.pay(1250, "USD", "tok_visa").await;
    work(stack, "call-processor", event::payment_message(&merchant.id, &id)).await;
    id
}

#[tokio::test]
async fn a_debit_between_a_folds_read_and_write_survives() {
    let stack = Stack::start(Options::new().store_proxy().template(Template::without_triggers())).await;
    // The fold is the first of its balance, or a later one.
    for folds_before in [0, 1] {
        let merchant = stack.new_merchant_with(json!({"settlement_delay_days": 0})).await;
        let balances = format!("{}#balances", merchant.tenant());
        for _ in 0..folds_before {
            post(&stack, &merchant).await;
            work(&stack, "fold-balance", event::balance_message(&merchant.id, "USD")).await;
        }
        post(&stack, &merchant).await;
        let write = stack.store_proxy().hold(usize::MAX, Matching::all().with("\"folding\"").with(&balances));
        let debit = async {
            write.reached(1).await;
            let values = json!({":minus": {"N": "-40"}, ":payout": {"S": "po_1"}});
            stack.table().update(&balances, "USD", "ADD available :minus SET last_payout = :payout", values).await;
            write.forward();
        };
        join(work(&stack, "fold-balance", event::balance_message(&merchant.id, "USD")), debit).await;
        stack.store_proxy().heal();
        let expected = 1184 * (folds_before + 1) - 40;
        let balance = stack.table().item(&balances, "USD").await.unwrap();
        let kept = (&balance["available"], &balance["last_payout"], &balance["seq"]);
        assert_eq!(kept, (&json!(expected), &json!("po_1"), &json!(folds_before + 1)), "{balance:?}");
        assert_eq!(merchant.client.balance("USD").await, (expected, 0));
    }
}

#[tokio::test]
async fn a_fold_keeps_unknown_attributes() {
    let stack = Stack::start(Options::new().template(Template::without_triggers())).await;
    let merchant = stack.new_merchant().await;
    let balances = format!("{}#balances", merchant.tenant());
    let later = in_days(9);
    stack
        .table()
        .put(json!({"pk": {"S": balances}, "sk": {"S": "USD"}, "available": {"N": "100"}, "seq": {"N": "3"},
            "pending": {"M": {"2026-01-30": {"N": "7"}, "2026-01-31": {"N": "-2"}, &later: {"N": "5"}}},
            "folding": {"L": []}, "moved_out": {"N": "12"}}))
        .await;
    work(&stack, "fold-balance", event::balance_message(&merchant.id, "USD")).await;
    let balance = stack.table().item(&balances, "USD").await.unwrap();
    let sums = (&balance["available"], &balance["pending"], &balance["seq"]);
    assert_eq!(sums, (&json!(105), &json!({&later: 5}), &json!(4)), "{balance:?}");
    assert_eq!(balance["moved_out"], 12, "{balance:?}");
    // Nothing is left, and nothing is added twice.
    work(&stack, "fold-balance", event::balance_message(&merchant.id, "USD")).await;
    assert_eq!(stack.table().item(&balances, "USD").await.unwrap()["available"], 105);
}

#[tokio::test]
async fn a_delivery_keeps_unknown_attributes() {
    let options = Options::new().knob("WEBHOOK_WAITS_SECONDS", "0,0").template(Template::without_triggers());
    let stack = Stack::start(options).await;
    let merchant = stack.new_merchant().await;
    let receiver = Receiver::scripted([Reply::Status(500), Reply::Status(500)]).await;
    let endpoint = merchant.client.create_webhook_endpoint(receiver.url(), &["payment.*"]).await;
    let endpoint = endpoint["id"].as_str().unwrap();
    let payment = post(&stack, &merchant).await;
    let books = Books::read(&stack.table(), &merchant.tenant()).await;
    let event = books.events_of(&payment)[0]["sk"].as_str().unwrap();
    work(&stack, "deliver-webhook", event::event_message(&merchant.id, event)).await;
    let partition = format!("{}#{event}", merchant.tenant());
    stack.table().update(&partition, endpoint, "SET rounds = :two", json!({":two": {"N": "2"}})).await;
    let retry = event::delivery_message(&merchant.id, event, endpoint);
    for (attempts, status) in [(2, "pending"), (3, "succeeded")] {
        work(&stack, "deliver-webhook", retry.clone()).await;
        let delivery = stack.table().item(&partition, endpoint).await.unwrap();
        let known = (&delivery["attempts"], &delivery["status"], &delivery["rounds"]);
        assert_eq!(known, (&json!(attempts), &json!(status), &json!(2)), "{delivery:?}");
        // It is due and has a next attempt exactly while it is pending, and is listed since its first failure.
        let there = ["due", "due_at", "due_claims", "next_attempt_at"].map(|name| delivery.contains_key(name));
        assert_eq!(there, [status == "pending"; 4], "{delivery:?}");
        assert!(delivery.contains_key("listing"), "{delivery:?}");
    }
}

#[tokio::test]
async fn a_payment_keeps_unknown_attributes() {
    let stack = Stack::start(Options::new().template(Template::without_triggers())).await;
    let merchant = stack.new_merchant().await;
    let id = merchant.client.pay(1250, "USD", "tok_visa").await;
    let partition = format!("{}#{id}", merchant.tenant());
    let newer = json!({":newer": {"M": {"risk": {"N": "3"}}}});
    stack.table().update(&partition, "payment", "SET screening = :newer", newer).await;
    work(&stack, "call-processor", event::payment_message(&merchant.id, &id)).await;
    let payment = stack.table().item(&partition, "payment").await.unwrap();
    assert_eq!((&payment["status"], &payment["screening"]), (&json!("succeeded"), &json!({"risk": 3})));
}

#[tokio::test]
async fn a_commit_removes_a_concurrent_next_ask() {
    let stack = Stack::start(Options::new().store_proxy().template(Template::without_triggers())).await;
    let merchant = stack.new_merchant().await;
    let id = merchant.client.pay(1250, "USD", "tok_visa").await;
    let partition = format!("{}#{id}", merchant.tenant());
    let commit = stack.store_proxy().hold(usize::MAX, Matching::operation("TransactWriteItems"));
    let other = async {
        commit.reached(1).await;
        let at = json!({":one": {"N": "1"}, ":at": {"S": "2026-01-31T12:00:00.000Z"}});
        let note = "SET asking.asks = :one, asking.next_at = :at, asking.absent_since = :at, due_at = :at";
        stack.table().update(&partition, "payment", note, at).await;
        commit.forward();
    };
    join(work(&stack, "call-processor", event::payment_message(&merchant.id, &id)), other).await;
    let payment = stack.table().item(&partition, "payment").await.unwrap();
    assert_eq!(payment["status"], json!("succeeded"), "{payment:?}");
    let left = ["asking", "due", "due_at", "due_claims"].map(|name| payment.contains_key(name));
    assert_eq!(left, [false; 4], "{payment:?}");
}

#[tokio::test]
async fn a_merchant_keeps_unknown_attributes() {
    let stack = Stack::start(Options::new()).await;
    let merchant = stack.new_merchant().await;
    let fees = json!({":usd": {"N": "1500"}, ":eur": {"N": "1400"}});
    let set = "SET currencies.USD.dispute_fee = :usd, currencies.EUR.dispute_fee = :eur";
    stack.table().update(&merchant.id, "merchant", set, fees).await;
    let prices =
        json!({"USD": {"fee_basis_points": 100, "fee_fixed": 30}, "GBP": {"fee_basis_points": 1, "fee_fixed": 2}});
    let change = json!({"merchant": merchant.id, "name": "Acme Inc", "currencies": prices});
    stack.invoke("update-merchant", &change).await.unwrap();
    let stored = stack.table().item(&merchant.id, "merchant").await.unwrap();
    let expected = json!({
        "USD": {"fee_basis_points": 100, "fee_fixed": 30, "dispute_fee": 1500},
        "EUR": {"fee_basis_points": 290, "fee_fixed": 30, "dispute_fee": 1400},
        "GBP": {"fee_basis_points": 1, "fee_fixed": 2},
        "JPY": {"fee_basis_points": 290, "fee_fixed": 30},
        "KWD": {"fee_basis_points": 290, "fee_fixed": 30},
    });
    assert_eq!((&stored["currencies"], &stored["name"]), (&expected, &json!("Acme Inc")));
}
