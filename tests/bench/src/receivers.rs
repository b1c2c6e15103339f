//! One merchant's server never answers: the effect on another merchant's webhooks, and its share of the senders' time.

use std::time::{Duration, Instant};

use futures::future::join;
use serde_json::{Value, json};
use spillway_tests::receiver::Receiver;
use spillway_tests::table::plain_item;
use spillway_tests::{Deadline, Merchant, Options, Stack, Template, eventually};
use tokio::time::{MissedTickBehavior, interval};

use crate::load::Shop;
use crate::plan::Plan;
use crate::show;

/// Events a second for the server that never answers.
const EVENTS_PER_SECOND: u32 = 100;
/// Time between two payments of the other merchant.
const PACE: Duration = Duration::from_millis(100);
/// Payments of the other merchant until every function that it needs is running.
const WARM_UP: usize = 30;
/// The function that sends webhooks.
const SENDER: &str = "deliver-webhook";

/// The other merchant alone, beside 100 events a second for a server that works, and for one that never answers. Both
/// servers are new: nothing is known of them before the first event.
pub async fn measure(plan: &Plan) -> Result<Value, String> {
    let stack = Stack::try_start(Options::new().keep_lines()).await?;
    let other = Shop::open(&stack).await;
    other.pay(1, WARM_UP, None).await;
    let payments = usize::try_from(plan.receivers.as_millis() / PACE.as_millis()).unwrap();
    let pay = async || {
        let began = busy_ms(&stack);
        let seen = other.pay(1, payments, Some(PACE)).await;
        let settled = other.settled(&seen).await;
        let mut figures = show::percentiles(&settled.webhooks);
        figures["lost"] = json!(settled.lost);
        figures["busy_ms"] = json!(busy_ms(&stack) - began);
        figures
    };
    eprintln!("receivers: another merchant alone");
    let alone = pay().await;
    eprintln!("receivers: beside a server that works");
    let works = Source::new(&stack, Receiver::start().await).await;
    let (beside_works, events) = join(pay(), works.send(&stack, plan.receivers)).await;
    works.arrived(events).await;
    eprintln!("receivers: beside a server that never answers");
    let hangs = Source::new(&stack, Receiver::hanging().await).await;
    let (beside_hangs, events) = join(pay(), hangs.send(&stack, plan.receivers)).await;
    let attempts = hangs.receiver.count();
    eprintln!("receivers: the server answers");
    let began = Instant::now();
    hangs.receiver.works();
    hangs.arrived(events).await;
    let most = Template::read().get(&["Parameters", "WebhookConcurrency", "Default"]).and_then(Value::as_u64);
    let capacity_ms = most.unwrap_or_default() * u64::try_from(plan.receivers.as_millis()).unwrap_or_default();
    Ok(json!({"alone": alone, "beside_works": beside_works, "beside_hangs": beside_hangs, "events": events,
        "attempts": attempts, "capacity_ms": capacity_ms, "delivered_after_us": show::micros(began.elapsed())}))
}

/// The time that all invocations of the sender have taken so far, in milliseconds.
fn busy_ms(stack: &Stack) -> u64 {
    let printed = stack.printed(SENDER);
    let lines = printed.iter().flat_map(|text| text.lines());
    let lines = lines.filter_map(|line| serde_json::from_str::<Value>(line).ok());
    lines.filter_map(|line| line["total_ms"].as_u64()).sum()
}

/// A merchant whose events are put into the table without payments, which would need the machine for themselves.
struct Source {
    receiver: Receiver,
    /// An event in DynamoDB's JSON.
    event: Value,
}

impl Source {
    async fn new(stack: &Stack, receiver: Receiver) -> Source {
        let merchant = stack.new_merchant().await;
        // The event of a payment, made before there is an endpoint.
        merchant.client.paid(1250, "USD").await;
        let event = event_of(stack, &merchant).await;
        merchant.client.create_webhook_endpoint(receiver.url(), &["payment.*"]).await;
        Source { receiver, event }
    }

    /// Puts events at a steady rate; returns their number.
    async fn send(&self, stack: &Stack, how_long: Duration) -> usize {
        let mut ticks = interval(Duration::from_secs(1) / EVENTS_PER_SECOND);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Burst);
        let (began, table, mut number) = (Instant::now(), stack.table(), 0);
        while began.elapsed() < how_long {
            ticks.tick().await;
            let id = self.event["id"]["S"].as_str().unwrap();
            // The last digits of an id are a hash.
            let id = format!("{}{number:06}", &id[..id.len() - 6]);
            let mut event = self.event.clone();
            event["id"]["S"] = json!(id);
            event["sk"]["S"] = json!(id);
            table.put(event).await;
            number += 1;
        }
        number
    }

    /// Waits until every event has arrived.
    async fn arrived(&self, events: usize) {
        eventually("every event arrives", Deadline::MUCH, async || {
            let mut ids: Vec<String> = self.receiver.attempts().iter().map(|attempt| attempt.id().to_owned()).collect();
            ids.sort();
            ids.dedup();
            if ids.len() >= events { Ok(()) } else { Err(format!("{} of {events}", ids.len())) }
        })
        .await;
    }
}

/// The merchant's only event, as it was before it was handed over.
async fn event_of(stack: &Stack, merchant: &Merchant) -> Value {
    let items = stack.table().items().await;
    let prefix = format!("{}#events#", merchant.tenant());
    let found = items.iter().find(|item| item["pk"].as_str().is_some_and(|pk| pk.starts_with(&prefix))).unwrap();
    let text = |name: &str| found[name].as_str().unwrap();
    let mut event = stack.table().raw_item(text("pk"), text("sk")).await;
    debug_assert_eq!(plain_item(&event)["sk"], found["sk"]);
    // Due like a new event.
    for (name, value) in [("due", json!({"S": "due#events#0"})), ("due_claims", json!({"N": "0"}))] {
        event[name] = value;
    }
    event["due_at"] = json!({"S": spillway_tests::clock::in_seconds(120)});
    event
}
