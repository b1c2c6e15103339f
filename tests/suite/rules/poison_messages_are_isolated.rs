//! A record or message that always fails ends in its failure queue, and the others finish.

use futures::future::join_all;
use serde_json::json;
use spillway_tests::oracle::settled;
use spillway_tests::queues::copies;
use spillway_tests::{Deadline, Options, Stack, Template, event, eventually};

const NEIGHBOURS: usize = 20;

/// Each queue and its consumer.
const CONSUMERS: [(&str, &str); 3] =
    [("ProcessorQueue", "CallProcessor"), ("FoldsQueue", "FoldBalance"), ("WebhooksQueue", "DeliverWebhook")];

async fn arrives(stack: &Stack, queue: &str, count: u64) {
    let queues = stack.queues();
    let url = queues.url(queue).await;
    eventually(&format!("{count} messages in {queue}"), Deadline::LATER, async || {
        let depth = queues.depth(&url).await;
        if depth == count * copies() { Ok(()) } else { Err(format!("{depth} messages")) }
    })
    .await;
}

#[tokio::test]
async fn a_poison_stream_record_ends_in_the_failure_queue() {
    let stack = Stack::start(Options::new()).await;
    let merchant = stack.new_merchant().await;
    let poison = |number: usize| json!({"pk": {"S": format!("rubbish-{number}")}, "sk": {"S": "payment"}});
    for number in 0..NEIGHBOURS {
        merchant.client.pay(1250, "USD", "tok_visa").await;
        if number % 7 == 3 {
            stack.table().put(poison(number)).await;
        }
    }
    settled(&stack, &merchant.tenant(), NEIGHBOURS).await;
    arrives(&stack, "StreamFailures", 3).await;
}

#[tokio::test]
async fn a_poison_message_ends_in_the_dead_letter_queue() {
    // A queue must hide a message for as long as its function may run. 16 receives would take too long.
    let quick = CONSUMERS.iter().fold(Template::read(), |template, (queue, function)| {
        let template = template.with(&["Resources", function, "Properties", "Timeout"], "5");
        let template = template.with(&["Resources", queue, "Properties", "VisibilityTimeout"], "5");
        template.with(&["Resources", queue, "Properties", "RedrivePolicy", "maxReceiveCount"], "3")
    });
    let stack = Stack::start(Options::new().template(quick)).await;
    let merchant = stack.new_merchant().await;
    let queues = stack.queues();
    let strange = json!({"kind": "unicorn", "pk": format!("{}#unicorns", merchant.tenant()), "sk": "x"}).to_string();
    for (queue, _) in CONSUMERS {
        let url = queues.url(queue).await;
        for poison in ["not json", &strange] {
            queues.send(&url, poison).await;
        }
    }
    // The message can be read, but its item can't.
    let other = stack.new_merchant().await;
    let balance =
        json!({"pk": {"S": format!("{}#balances", other.tenant())}, "sk": {"S": "USD"}, "seq": {"S": "none"}});
    stack.table().put(balance).await;
    let body = event::balance_message(&other.id, "USD").to_string();
    queues.send(&queues.url("FoldsQueue").await, &body).await;
    join_all((0..NEIGHBOURS).map(|_| merchant.client.pay(1250, "USD", "tok_visa"))).await;
    settled(&stack, &merchant.tenant(), NEIGHBOURS).await;
    for (queue, count) in [("ProcessorDeadLetters", 2), ("FoldsDeadLetters", 3), ("WebhooksDeadLetters", 2)] {
        arrives(&stack, queue, count).await;
    }
}
