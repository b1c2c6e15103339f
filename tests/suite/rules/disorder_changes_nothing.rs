//! Queues that deliver every message twice and out of order. (`QUEUE_DISORDER=1` does this for the whole suite.)

use futures::future::join_all;
use spillway_tests::oracle::settled;
use spillway_tests::receiver::Receiver;
use spillway_tests::{Deadline, Options, Stack, eventually};

#[tokio::test]
async fn payments_finish_once_with_doubled_unordered_messages() {
    let options = Options::new().knob("QUEUE_DISORDER", 1).knob("STORE_DEADLINE_MS", 9000).fold_at_once();
    let stack = Stack::start(options).await;
    let merchant = stack.new_merchant().await;
    let receiver = Receiver::start().await;
    merchant.client.create_webhook_endpoint(receiver.url(), &["payment.*"]).await;
    let tokens = ["tok_visa", "tok_declined", "tok_mastercard", "tok_expired_card"];
    let payments = (0..80).map(|number| merchant.client.pay(1250, "USD", tokens[number % tokens.len()]));
    let ids = join_all(payments).await;
    let books = settled(&stack, &merchant.tenant(), ids.len()).await;
    assert_eq!(merchant.client.balance("USD").await, (0, 1184 * 40));
    eventually("every event is delivered", Deadline::LATER, async || {
        let found: std::collections::BTreeSet<String> =
            receiver.attempts().iter().map(|attempt| attempt.id().to_owned()).collect();
        if found.len() == books.events.len() {
            Ok(())
        } else {
            Err(format!("{} of {}", found.len(), books.events.len()))
        }
    })
    .await;
}
