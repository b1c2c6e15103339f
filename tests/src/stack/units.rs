//! Capacity units of store calls, as the store reports them, for each step of a payment.
//!
//! DynamoDB counts a write unit for each KB of an item, twice in a transaction, and one for each index entry written or
//! removed; a read unit for each 4 KB, half of it for an eventually consistent read.

use futures::{StreamExt, stream};
use serde_json::{Value, json};

use crate::Merchant;
use crate::consumed::Consumed;
use crate::stack::Stack;
use crate::terms::SHARDS;
use crate::{event, unique};

/// Largest batch of a queue's messages.
const BATCH: usize = 10;
const CLIENTS: usize = 8;

/// Cost of all calls of a step.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Cost {
    /// How many calls there were.
    pub calls: usize,
    /// Write units.
    pub write_units: u64,
    /// Half read units.
    pub read_halves: u64,
}

impl Cost {
    /// Sum of these calls.
    pub fn of<'calls>(calls: impl IntoIterator<Item = &'calls Consumed>) -> Cost {
        calls.into_iter().fold(Cost::default(), |cost, each| {
            let (reads, writes) = if each.is_read() { (each.halves, 0) } else { (0, each.halves / 2) };
            Cost {
                calls: cost.calls + 1,
                write_units: cost.write_units + writes,
                read_halves: cost.read_halves + reads,
            }
        })
    }
}

/// Cost of some payments, step by step.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Steps {
    /// Creating the payments.
    pub create: Cost,
    /// Calling the processor and committing the result.
    pub result: Cost,
    /// The sandbox processor's own items, which a real processor would not write here.
    pub sandbox: Cost,
    /// Folding movements into the balance: reading them, and replacing the balance.
    pub fold: Cost,
    /// Deleting the movements of the fold.
    pub deletions: Cost,
    /// Delivering the events.
    pub delivery: Cost,
}

/// Takes `count` payments of `merchant` through each step, with one fold for all. The stack has no triggers
/// ([`crate::Template::without_triggers`]) and a store proxy.
pub async fn walk(stack: &Stack, merchant: &Merchant, count: usize) -> Steps {
    let proxy = stack.store_proxy();
    // The gateway caches the authorizer's answer to this request.
    merchant.client.get("/balance").await.expect(200);
    proxy.start_metering();
    let create = |_| async {
        let payment = json!({"amount": 1250, "currency": "USD", "token": "tok_visa_1", "description": "Order 1001",
                "metadata": {"cart": "7"}});
        merchant.client.create_payment(&unique(), &payment).await.expect(202).id().to_owned()
    };
    let payments: Vec<String> = stream::iter(0..count).map(create).buffer_unordered(CLIENTS).collect().await;
    let create = Cost::of(&proxy.take_consumed());

    let messages = payments.iter().map(|id| event::payment_message(&merchant.id, id));
    invoke(stack, "call-processor", messages.collect()).await;
    let (sandbox, result): (Vec<_>, Vec<_>) = proxy.take_consumed().into_iter().partition(Consumed::is_the_sandboxs);

    invoke(stack, "fold-balance", vec![event::balance_message(&merchant.id, "USD")]).await;
    let deletes = |each: &Consumed| each.call.operation == "BatchWriteItem";
    let (deletions, fold): (Vec<_>, Vec<_>) = proxy.take_consumed().into_iter().partition(deletes);

    let messages = undelivered(stack, merchant).await.into_iter().map(|id| event::event_message(&merchant.id, &id));
    invoke(stack, "deliver-webhook", messages.collect()).await;
    Steps {
        create,
        result: Cost::of(&result),
        sandbox: Cost::of(&sandbox),
        fold: Cost::of(&fold),
        deletions: Cost::of(&deletions),
        delivery: Cost::of(&proxy.take_consumed()),
    }
}

/// Ids of the merchant's events with endpoints that have not got them yet.
pub async fn undelivered(stack: &Stack, merchant: &Merchant) -> Vec<String> {
    let mut ids = Vec::new();
    for shard in 0..SHARDS {
        let events = stack.table().partition(&format!("{}#events#{shard}", merchant.tenant())).await;
        let due = events.iter().filter(|event| event.contains_key("due"));
        ids.extend(due.map(|event| event["sk"].as_str().unwrap().to_owned()));
    }
    ids
}

/// Hands a consumer these messages, batch by batch; all must succeed.
async fn invoke(stack: &Stack, function: &str, messages: Vec<Value>) {
    for batch in messages.chunks(BATCH) {
        let answer = stack.invoke(function, &event::sqs(batch)).await.unwrap();
        assert_eq!(answer, json!({"batchItemFailures": []}), "{function}");
    }
}
