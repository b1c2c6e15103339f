//! Stands in for EventBridge Scheduler.

use serde_json::json;
use tokio::time::{MissedTickBehavior, interval};
use uuid::Uuid;

use crate::arn::{self, ACCOUNT};
use crate::clock::{self, Clock};
use crate::invoke::Functions;
use crate::log::Log;
use crate::template::Schedule;

/// Invokes the schedule's function at its rate until the future is dropped. The first invocation is immediate, as on
/// AWS for a schedule without a start date.
pub async fn run(schedule: Schedule, region: String, functions: Functions, clock: Clock, log: Log) {
    let mut ticks = interval(schedule.every);
    // Times that were missed while the machine slept are skipped.
    ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
    loop {
        ticks.tick().await;
        let payload = event(&schedule, &region, clock());
        let (functions, log, function) = (functions.clone(), log.clone(), schedule.function.clone());
        tokio::spawn(async move {
            if let Err(error) = functions.invoke(&function, payload.into_bytes()).await {
                log.warning(&function, &error.to_string());
            }
        });
    }
}

/// EventBridge Scheduler's event without an input in the template. Its time has whole seconds.
fn event(schedule: &Schedule, region: &str, now_ms: i64) -> String {
    let time = clock::rfc3339(now_ms);
    let time = time.split('.').next().unwrap_or_default();
    json!({
        "version": "0",
        "id": Uuid::new_v4().to_string(),
        "detail-type": "Scheduled Event",
        "source": "aws.scheduler",
        "account": ACCOUNT,
        "time": format!("{time}Z"),
        "region": region,
        "resources": [arn::schedule(region, &schedule.name)],
        "detail": "{}",
    })
    .to_string()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use serde_json::Value;
    use tokio::sync::mpsc;

    use super::*;

    #[tokio::test]
    async fn the_function_is_invoked_at_once_and_again() {
        let (tell, mut told) = mpsc::unbounded_channel();
        let schedule =
            Schedule { function: "enqueue-due".to_owned(), name: "Tick".to_owned(), every: Duration::from_millis(5) };
        let functions = Functions::answering(move |_, payload| {
            tell.send(serde_json::from_slice::<Value>(payload).unwrap()).unwrap();
            Ok(Vec::new())
        });
        let clock: Clock = Arc::new(|| 1_769_860_800_123);
        let log = Log::to(false, |_| {});
        tokio::spawn(run(schedule, "eu-central-1".to_owned(), functions, clock, log));
        for _ in 0..3 {
            let event = told.recv().await.unwrap();
            assert_eq!(event["time"], "2026-01-31T12:00:00Z");
            assert_eq!(event["source"], "aws.scheduler");
        }
    }
}
