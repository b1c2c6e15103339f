//! `GET /v1/balance`

use std::time::Duration;

use futures::future::join;
use serde_json::json;
use spillway_tests::store_proxy::{Fault, Matching};
use spillway_tests::{Deadline, Options, Stack, Template, event, eventually};

#[tokio::test]
async fn a_balance_that_changes_during_every_read_is_503() {
    const TRIES: usize = 5;
    let stack = Stack::start(Options::new().store_proxy().template(Template::without_triggers())).await;
    let merchant = stack.new_merchant().await;
    for currency in ["USD", "EUR"] {
        let id = merchant.client.pay(1250, currency, "tok_visa").await;
        stack.invoke("call-processor", &event::sqs(&[event::payment_message(&merchant.id, &id)])).await.unwrap();
        stack.invoke("fold-balance", &event::sqs(&[event::balance_message(&merchant.id, currency)])).await.unwrap();
    }
    let balances = format!("{}#balances", merchant.tenant());
    let shard = format!("{}#movements#0", merchant.tenant());
    // All retries of the read of one shard's movements, between the two reads of the balances.
    let movements = || Matching::operation("Query").with("\"move#\"").with(&shard);
    let moving = async {
        let mut read = stack.store_proxy().hold(usize::MAX, movements());
        for _ in 0..TRIES {
            read.reached(1).await;
            // The effect of two folds.
            stack.table().update(&balances, "USD", "SET seq = seq + :two", json!({":two": {"N": "2"}})).await;
            stack.store_proxy().heal();
            let next = stack.store_proxy().hold(usize::MAX, movements());
            read.forward();
            read = next;
        }
        stack.store_proxy().heal();
        read.forward();
    };
    let (answer, ()) = join(merchant.client.get("/balance"), moving).await;
    let refused = answer.expect_problem(503, "unavailable");
    assert_eq!(refused.header("retry-after"), "1");
    assert_eq!(merchant.client.balance("USD").await, (0, 1184));
}

#[tokio::test]
async fn a_slow_read_is_503_before_the_function_times_out() {
    // Three sequential reads, each within the store's deadline. The function has 3 s and reserves the last half second
    // for the answer.
    let hurried = Template::without_triggers().with(&["Globals", "Function", "Timeout"], "3");
    let stack = Stack::start(Options::new().store_proxy().template(hurried)).await;
    let merchant = stack.new_merchant().await;
    assert_eq!(merchant.client.balance("USD").await, (0, 0));
    let slow = Fault::Delay(Duration::from_millis(900));
    stack.store_proxy().fault(usize::MAX, Matching::operation("Query").with(&merchant.tenant()), slow);
    let refused = merchant.client.get("/balance").await.expect_problem(503, "unavailable");
    assert_eq!(refused.header("retry-after"), "1");
    stack.store_proxy().heal();
    assert_eq!(merchant.client.balance("USD").await, (0, 0));
}

#[tokio::test]
async fn a_balance_far_behind_its_movements_is_503_and_counted() {
    let options = Options::new().knob("BALANCE_MOVEMENTS_MAX", 2).template(Template::without_triggers()).keep_lines();
    let stack = Stack::start(options).await;
    let merchant = stack.new_merchant().await;
    for expected in [200, 200, 503] {
        let id = merchant.client.pay(1250, "USD", "tok_visa").await;
        stack.invoke("call-processor", &event::sqs(&[event::payment_message(&merchant.id, &id)])).await.unwrap();
        assert_eq!(merchant.client.get("/balance").await.status, expected);
    }
    let refused = merchant.client.get("/balance").await.expect_problem(503, "unavailable");
    assert_eq!(refused.header("retry-after"), "1");
    eventually("the refusals are counted", Deadline::SOON, async || {
        let printed = stack.printed("get-balance").concat();
        let count = printed.matches("\"BalancesBehind\":1").count();
        if count == 2 { Ok(()) } else { Err(format!("{count} in {printed}")) }
    })
    .await;
    stack.invoke("fold-balance", &event::sqs(&[event::balance_message(&merchant.id, "USD")])).await.unwrap();
    assert_eq!(merchant.client.balance("USD").await, (0, 3 * 1184));
}
