//! The balance is exact during and between concurrent folds.

use std::sync::atomic::{AtomicBool, Ordering};

use futures::future::{join, join3};
use futures::{StreamExt, stream};
use serde_json::{Value, json};
use spillway_tests::oracle::{Books, figures, settled};
use spillway_tests::store_proxy::Matching;
use spillway_tests::{Deadline, Merchant, Options, Stack, Template, event, eventually};

const SHARDS: usize = 4;
const AT_ONCE: usize = 16;

/// Net of all entries so far, read shard by shard.
async fn posted(stack: &Stack, merchant: &Merchant) -> i64 {
    let mut sum = 0;
    for shard in 0..SHARDS {
        let entries = stack.table().partition(&format!("{}#journal#{shard}", merchant.tenant())).await;
        sum += entries.iter().map(|entry| figures(entry).2).sum::<i64>();
    }
    sum
}

async fn pay_many(merchant: &Merchant, count: u64) {
    let payments = stream::iter(0..count).map(|number| pay(merchant, number));
    payments.buffer_unordered(AT_ONCE).collect::<Vec<()>>().await;
}

async fn pay(merchant: &Merchant, number: u64) {
    let payment = json!({"amount": 1000 + number, "currency": "USD", "token": "tok_visa"});
    let request = merchant.client.payment_request(&format!("order-{number}"), &payment);
    request.send_until_served().await.unwrap().expect(202);
}

async fn fold_until(stack: &Stack, merchant: &Merchant, done: &AtomicBool) {
    let message = event::sqs(&[event::balance_message(&merchant.id, "USD")]);
    // Pauses between folds, to leave the CPU to the payments.
    eventually("all is posted", Deadline::MUCH, async || {
        stack.invoke("fold-balance", &message).await.unwrap();
        if done.load(Ordering::Relaxed) { Ok(()) } else { Err("not yet".to_owned()) }
    })
    .await;
}

#[tokio::test]
async fn concurrent_folds_of_2000_payments_are_exact() {
    const PAYMENTS: u64 = 2000;
    let stack = Stack::start(Options::new().fold_at_once()).await;
    let merchant = stack.new_merchant().await;
    let done = AtomicBool::new(false);
    let work = async {
        pay_many(&merchant, PAYMENTS).await;
        let books = settled(&stack, &merchant.tenant(), usize::try_from(PAYMENTS).unwrap()).await;
        done.store(true, Ordering::Relaxed);
        books
    };
    let folds = join3(
        fold_until(&stack, &merchant, &done),
        fold_until(&stack, &merchant, &done),
        fold_until(&stack, &merchant, &done),
    );
    let (books, _) = join(work, folds).await;
    let expected: i64 = (1000..1000 + i64::try_from(PAYMENTS).unwrap())
        .map(|amount| amount - spillway_tests::terms::expected_fee(amount))
        .sum();
    assert_eq!(books.recomputed()["USD"], (0, expected));
    assert_eq!(merchant.client.balance("USD").await, (0, expected));
    // This last fold leaves no movement unfolded. So the balance item alone, without any movement, must have the exact
    // sum.
    stack.invoke("fold-balance", &event::sqs(&[event::balance_message(&merchant.id, "USD")])).await.unwrap();
    let mut books = Books::read(&stack.table(), &merchant.tenant()).await;
    books.movements.clear();
    assert_eq!(books.kept()["USD"], (0, expected));
}

#[tokio::test]
async fn a_balance_read_during_folds_counts_each_movement_once() {
    const PAYMENTS: u64 = 400;
    let stack = Stack::start(Options::new().knob("STORE_DEADLINE_MS", 9000).fold_at_once()).await;
    let merchant = stack.new_merchant().await;
    let done = AtomicBool::new(false);
    let work = async {
        pay_many(&merchant, PAYMENTS).await;
        settled(&stack, &merchant.tenant(), usize::try_from(PAYMENTS).unwrap()).await;
        done.store(true, Ordering::Relaxed);
    };
    let readings = async {
        let mut readings = 0;
        while !done.load(Ordering::Relaxed) {
            let before = posted(&stack, &merchant).await;
            let (available, pending) = merchant.client.balance("USD").await;
            let after = posted(&stack, &merchant).await;
            assert!(
                before <= pending && pending <= after && available == 0,
                "{before} <= {pending} <= {after}, {available}"
            );
            readings += 1;
        }
        readings
    };
    let ((), readings, ()) = join3(work, readings, fold_until(&stack, &merchant, &done)).await;
    assert!(readings > 2, "only {readings} readings");
}

#[tokio::test]
async fn the_balance_is_exact_before_and_after_each_fold() {
    let stack = Stack::start(Options::new().template(Template::without_triggers())).await;
    let merchant = stack.new_merchant().await;
    let message = event::sqs(&[event::balance_message(&merchant.id, "USD")]);
    for round in 1..=4 {
        let id = merchant.client.pay(1250, "USD", "tok_visa").await;
        stack.invoke("call-processor", &event::sqs(&[event::payment_message(&merchant.id, &id)])).await.unwrap();
        for _ in 0..3 {
            assert_eq!(merchant.client.balance("USD").await, (0, 1184 * round));
            let answer: Value = stack.invoke("fold-balance", &message).await.unwrap();
            assert_eq!(answer, serde_json::json!({"batchItemFailures": []}));
        }
    }
}

/// Posts one more payment of 1250, whose net is 1184.
async fn post(stack: &Stack, merchant: &Merchant) {
    let id = merchant.client.pay(1250, "USD", "tok_visa").await;
    stack.invoke("call-processor", &event::sqs(&[event::payment_message(&merchant.id, &id)])).await.unwrap();
}

#[tokio::test]
async fn a_late_fold_changes_nothing() {
    let stack = Stack::start(Options::new().store_proxy().template(Template::without_triggers())).await;
    // Two cases: the late fold is the balance's first fold, or its second.
    for folds_before in [0, 1] {
        let merchant = stack.new_merchant().await;
        let message = event::sqs(&[event::balance_message(&merchant.id, "USD")]);
        for _ in 0..folds_before {
            post(&stack, &merchant).await;
            stack.invoke("fold-balance", &message).await.unwrap();
        }
        post(&stack, &merchant).await;
        // The proxy recognizes the late fold's update by this sum and holds it until two later folds are stored.
        let late_sum = format!("\"{}\"", 1184 * (folds_before + 1));
        let late = stack.store_proxy().hold(usize::MAX, Matching::operation("UpdateItem").with(&late_sum));
        let others = async {
            late.reached(1).await;
            for _ in 0..2 {
                post(&stack, &merchant).await;
                stack.invoke("fold-balance", &message).await.unwrap();
            }
            late.forward();
        };
        let (answer, ()) = join(stack.invoke("fold-balance", &message), others).await;
        // The late fold's answer is not checked: its update may have timed out while the proxy held it.
        drop(answer);
        stack.store_proxy().heal();
        let expected = 1184 * (folds_before + 3);
        assert_eq!(merchant.client.balance("USD").await, (0, expected), "after {folds_before} folds");
        stack.invoke("fold-balance", &message).await.unwrap();
        assert_eq!(merchant.client.balance("USD").await, (0, expected), "after {folds_before} folds");
    }
}

#[tokio::test]
async fn a_raise_of_shards_under_load_keeps_every_sum() {
    const PAYMENTS: u64 = 300;
    let options = Options::new().fold_at_once().knob("CACHE_SECONDS", 0).knob("SHARDS_AHEAD_SECONDS", 0);
    let stack = Stack::start(options).await;
    let merchant = stack.new_merchant().await;
    let raises = async {
        for (payments, shards) in [(75, 8), (150, 16)] {
            eventually("some payments are there", Deadline::LATER, async || {
                let there = Books::read(&stack.table(), &merchant.tenant()).await.payments.len();
                if there >= payments { Ok(()) } else { Err(format!("{there} payments")) }
            })
            .await;
            let change = json!({"operator": "jroe", "merchant": merchant.id, "shards": shards});
            stack.invoke("update-merchant", &change).await.unwrap();
        }
    };
    join(pay_many(&merchant, PAYMENTS), raises).await;
    let books = settled(&stack, &merchant.tenant(), usize::try_from(PAYMENTS).unwrap()).await;
    let expected: i64 = (1000..1000 + i64::try_from(PAYMENTS).unwrap())
        .map(|amount| amount - spillway_tests::terms::expected_fee(amount))
        .sum();
    assert_eq!(books.recomputed()["USD"], (0, expected));
    assert_eq!(merchant.client.balance("USD").await, (0, expected));
    for part in 0..4 {
        let message = match part {
            0 => event::balance_message(&merchant.id, "USD"),
            part => event::balance_part_message(&merchant.id, "USD", part),
        };
        stack.invoke("fold-balance", &event::sqs(&[message])).await.unwrap();
    }
    let mut books = Books::read(&stack.table(), &merchant.tenant()).await;
    let folded_parts = books.parts.iter().filter(|part| part["seq"].as_u64() > Some(0)).count();
    assert!(folded_parts > 0, "{:?}", books.parts);
    books.movements.clear();
    assert_eq!(books.kept()["USD"], (0, expected));
}
