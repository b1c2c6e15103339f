//! The trigger receives no more than can run, so that the queue chooses the next tenant.

use futures::FutureExt as _;
use futures::future::BoxFuture;
use tokio::sync::{Semaphore, mpsc};

use super::trigger::trigger;
use super::*;
use crate::invoke::{Functions, Outcome, Run};
use crate::log::Log;
use crate::metrics::Metrics;
use crate::queue::poller;

/// A function with two concurrent calls. Each runs until the test ends it.
struct Slow {
    began: mpsc::UnboundedSender<String>,
    let_go: Arc<Semaphore>,
}

impl Run for Slow {
    fn run(&self, _: String, payload: Vec<u8>) -> BoxFuture<'static, Outcome> {
        let event: Value = serde_json::from_slice(&payload).unwrap();
        self.began.send(event["Records"][0]["body"].as_str().unwrap().to_owned()).unwrap();
        let let_go = Arc::clone(&self.let_go);
        async move {
            let_go.acquire_owned().await.unwrap().forget();
            Ok(br#"{"batchItemFailures":[]}"#.to_vec())
        }
        .boxed()
    }

    fn at_once(&self) -> usize {
        2
    }
}

#[tokio::test]
async fn slow_messages_of_one_tenant_do_not_delay_another() {
    let bench = Bench::new();
    let send = async |body: &str, group: &str| {
        bench.ok("SendMessage", json!({"MessageBody": body, "MessageGroupId": group})).await;
    };
    for _ in 0..20 {
        send("slow", "mer_1").await;
    }
    let (began, mut begun) = mpsc::unbounded_channel();
    let let_go = Arc::new(Semaphore::new(0));
    let function = Slow { began, let_go: Arc::clone(&let_go) };
    let mut trigger = trigger();
    trigger.batch_size = 1;
    trigger.max_concurrency = Some(100);
    let poller = poller::run(
        trigger,
        bench.api.queues.clone(),
        Functions::new(function, &Metrics::default()),
        Log::to(false, |_| {}),
    );
    let watch = async {
        assert_eq!((begun.recv().await.as_deref(), begun.recv().await.as_deref()), (Some("slow"), Some("slow")));
        send("other", "mer_2").await;
        let_go.add_permits(1);
        assert_eq!(begun.recv().await.as_deref(), Some("other"));
    };
    let limit = tokio::time::timeout(Duration::from_secs(10), watch);
    tokio::select! {
        ended = poller => panic!("the trigger ended: {ended:?}"),
        watched = limit => watched.expect("within the deadline"),
    }
}
