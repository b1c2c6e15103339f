//! Lambda's pollers: a queue's messages invoke a function, in batches, up to the trigger's concurrency.

use std::cell::Cell;
use std::future::Future;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use spillway_lambda::Invocation;
use spillway_limits::Spawner;
use spillway_runtime::{Context, Parts};
use spillway_store::WorkItem;
use spillway_work::{Batch, HasQueues, MessagesEvent, Outcome, WorkError};

use crate::function::Function;
use crate::queue::Message;
use crate::world::World;

/// How often an empty queue is looked at. (Lambda's pollers wait in a receive call.)
const POLL: Duration = Duration::from_millis(20);

/// Works on the messages of a queue until the run ends. The trigger is scaled up already: on AWS it begins with five batches
/// at a time (docs/scale.md).
pub fn start<P, F, Fut, D>(world: &World, spawner: &Spawner, (queue, id): (&'static str, &str), handle: F)
where
    P: Parts + HasQueues + 'static,
    F: Fn(Arc<Context<P>>, Invocation, Vec<WorkItem>) -> Fut + Clone + 'static,
    Fut: Future<Output = Vec<Result<D, WorkError>>>,
    D: Into<Vec<Outcome>>,
{
    let function = Rc::new(Function::<P>::new(world, id));
    let (world, of_loop, running) = (world.clone(), spawner.clone(), Rc::new(Cell::new(0)));
    spawner.spawn(async move {
        let settings = &function.settings;
        loop {
            let is_free = running.get() < settings.concurrency_max;
            let messages = if is_free { world.queues.receive(queue, settings.batch_size) } else { Vec::new() };
            if messages.is_empty() {
                world.time.wait(POLL).await;
                continue;
            }
            running.set(running.get() + 1);
            let (world, function, running, handle) =
                (world.clone(), Rc::clone(&function), Rc::clone(&running), handle.clone());
            of_loop.spawn(async move {
                let messages = filled(&world, &function, queue, messages).await;
                work(&world, &function, queue, messages, handle).await;
                running.set(running.get() - 1);
            });
        }
    });
}

/// Fills a batch until the trigger's window ends.
async fn filled<P: Parts>(
    world: &World, function: &Function<P>, queue: &str, mut messages: Vec<Message>,
) -> Vec<Message> {
    let settings = &function.settings;
    if !settings.window.is_zero() && messages.len() < settings.batch_size {
        world.time.wait(settings.window).await;
        messages.extend(world.queues.receive(queue, settings.batch_size - messages.len()));
    }
    messages
}

async fn work<P, F, Fut, D>(world: &World, function: &Function<P>, queue: &str, messages: Vec<Message>, handle: F)
where
    P: Parts + HasQueues,
    F: Fn(Arc<Context<P>>, Invocation, Vec<WorkItem>) -> Fut,
    Fut: Future<Output = Vec<Result<D, WorkError>>>,
    D: Into<Vec<Outcome>>,
{
    let failed = function
        .invoke(async |context: Arc<Context<P>>, invocation| {
            let batch = Batch::from(event(queue, &messages));
            let results = handle(context.clone(), invocation, batch.items()).await;
            let results: Vec<_> = results.into_iter().map(|result| result.map(Into::into)).collect();
            let (response, faults) = batch.response(&results);
            spillway_work::back_off(&context, &faults).await;
            serde_json::to_value(response).unwrap()
        })
        .await;
    let failed: Vec<&str> = failed["batchItemFailures"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|failure| failure["itemIdentifier"].as_str())
        .collect();
    for message in messages.iter().filter(|message| !failed.contains(&message.id.to_string().as_str())) {
        world.queues.delete(queue, message);
    }
}

fn event(queue: &str, messages: &[Message]) -> MessagesEvent {
    let records = messages.iter().map(|message| {
        json!({"messageId": message.id.to_string(), "receiptHandle": message.id.to_string(), "body": message.body,
            "attributes": {"ApproximateReceiveCount": message.receives.to_string()},
            "eventSourceARN": format!("arn:aws:sqs:r:1:{queue}")})
    });
    serde_json::from_value(json!({"Records": records.collect::<Vec<_>>()})).unwrap()
}

/// The three consumers of Spillway's queues.
pub fn start_all(world: &World, spawner: &Spawner) {
    start(world, spawner, ("ProcessorQueue", "CallProcessor"), call_processor::handle);
    start(world, spawner, ("FoldsQueue", "FoldBalance"), fold_balance::handle);
    start(world, spawner, ("WebhooksQueue", "DeliverWebhook"), deliver_webhook::handle);
}
