//! A consumer of a queue that panics at the work on the balance in JPY, and at any batch with the balance in KWD before
//! it begins to work. Only tests run it.

use std::sync::Arc;

use spillway_lambda::{Invocation, serve_batch};
use spillway_runtime::{Context, Parts, SettingError, Start};
use spillway_store::{QueueName, WorkItem};
use spillway_work::{HasQueues, Outcome, Queues, WorkError};

struct Queue(Queues);

impl Parts for Queue {
    fn new(start: &Start<'_>) -> Result<Queue, SettingError> {
        Queues::new(start, &[QueueName::Folds]).map(Queue)
    }
}

impl HasQueues for Queue {
    fn queues(&self) -> &Queues {
        &self.0
    }
}

#[expect(clippy::panic, reason = "that is what it is for")]
async fn handle(_: Arc<Context<Queue>>, _: Invocation, items: Vec<WorkItem>) -> Vec<Result<Outcome, WorkError>> {
    if items.iter().any(|item| item.to_string() == "test KWD") {
        panic!("the card of Jane Roe is 4242424242424242");
    }
    spillway_work::each(items, |item| async move {
        match item.to_string().as_str() {
            "test JPY" => panic!("the card of Jane Roe is 4242424242424242"),
            _ => Ok(Outcome::default()),
        }
    })
    .await
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    serve_batch(handle).await
}
