//! `make monitor`: Prometheus with the project's rules, on the stack that runs on `DATA` or on a stack of its own. With
//! `DEMO=1` it injects a failure for each alert into a stack of its own, and waits until the alert has fired and cleared.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use futures::future::{join_all, pending};
use serde_json::json;
use spillway_tests::prometheus::Prometheus;
use spillway_tests::receiver::{Receiver, Reply};
use spillway_tests::running::RunningStack;
use spillway_tests::store_proxy::{Fault, Matching};
use spillway_tests::tool::{self, OwnStack, shown};
use spillway_tests::{Client, Deadline, Merchant, Options, event, eventually};

/// The time of the demo's rules is faster by this factor: an hour lasts ten seconds.
const SPEED: u64 = 360;
/// Clients that list payments all the time, and their longest pause between two requests. The pauses are random, so that
/// also slow answers come at any time: the shortest window of the demo is less than a second.
const CLIENTS: usize = 12;
const PAUSE_MS: u64 = 400;

#[tokio::main]
async fn main() -> ExitCode {
    let demo = std::env::var("DEMO").is_ok_and(|value| value == "1");
    tool::run(async { if demo { show_each_alert().await } else { watch().await } }).await
}

fn port() -> Result<u16, String> {
    tool::number("PROMETHEUS_PORT", 9_090, 1..=u64::from(u16::MAX)).map(|port| u16::try_from(port).unwrap_or_default())
}

/// Runs until Ctrl-C.
async fn watch() -> Result<bool, String> {
    let data = std::env::var("DATA").ok().filter(|data| !data.is_empty()).unwrap_or_else(|| ".local".to_owned());
    let found = RunningStack::find(&PathBuf::from(&data)).await;
    let own = if found.is_none() { Some(OwnStack::start(Options::new()).await?) } else { None };
    let stack = found.as_ref().or(own.as_deref().map(|stack| &**stack)).ok_or("There is no stack.")?;
    let prometheus = start(stack, tool::number("SPEED", 1, 1..=SPEED)?).await?;
    println!("\nPrometheus  {}/alerts, until Ctrl-C", prometheus.url);
    pending().await
}

async fn start(stack: &RunningStack, speed: u64) -> Result<Prometheus, String> {
    let (port, address) = (port()?, stack.base_url().trim_end_matches("/v1"));
    println!("\nStack       {address}/v1\nMetrics     {address}/_metrics");
    let folder = std::env::temp_dir().join(format!("spillway-prometheus-{port}"));
    Ok(Prometheus::start(folder, port, address, speed).await)
}

/// The demo. Each failure is ended before the next one.
async fn show_each_alert() -> Result<bool, String> {
    let options = Options::new().store_proxy().unkilled();
    // A slow call of the store is no failed one. An operation is retried every four seconds, and the sweep takes it up
    // again at once.
    let options = options.knob("STORE_DEADLINE_MS", 9_000).knob("PROCESSOR_WAITS_SECONDS", "4");
    let stack = OwnStack::start(options.knob("FIRST_DUE_SECONDS", 1)).await?;
    let prometheus = start(&stack, SPEED).await?;
    println!(
        "\nAn hour of the rules lasts {} seconds. From a failure to the alert, and from its end to no alert:\n",
        3_600 / SPEED
    );
    let merchant = stack.new_merchant().await;
    merchant.client.paid(1250, "USD").await;
    let load = join_all((0..CLIENTS).map(|_| list(&merchant.client)));
    tokio::select! {
        _ = load => unreachable!("the load has no end"),
        () = each(&stack, &prometheus, &merchant) => {}
    }
    println!("\nEach alert fired and cleared.");
    Ok(true)
}

/// Lists payments without end. A refused request is what the demo is about.
async fn list(client: &Client) {
    loop {
        let _ = client.request(reqwest::Method::GET, "/payments?limit=1").try_send().await;
        tokio::time::sleep(Duration::from_millis(fastrand::u64(..PAUSE_MS))).await;
    }
}

async fn each(stack: &OwnStack, prometheus: &Prometheus, merchant: &Merchant) {
    let proxy = stack.store_proxy();
    let of_lists = || Matching::operation("Query").with("#payments#");
    let is = async |firing, alerts: &[&str], since| until(prometheus, firing, alerts, since, async || ()).await;

    // A function that may not read the table answers 500.
    let errors = ["SpillwayErrorBudgetFast", "SpillwayErrorBudgetMedium", "SpillwayErrorBudgetSlow"];
    proxy.fault(usize::MAX, of_lists(), Fault::Error("AccessDeniedException"));
    is(true, &errors, Instant::now()).await;
    proxy.heal();
    let errors_ended = Instant::now();
    is(false, &errors[..1], errors_ended).await;

    let latency = ["SpillwayApiLatency"];
    proxy.fault(usize::MAX, of_lists(), Fault::Delay(Duration::from_millis(1_200)));
    is(true, &latency, Instant::now()).await;
    proxy.heal();
    is(false, &latency, Instant::now()).await;

    let (queues, dead_letters) = (stack.queues(), ["SpillwayDeadLetters"]);
    let url = queues.url("FoldsDeadLetters").await;
    queues.send(&url, "rubbish").await;
    is(true, &dead_letters, Instant::now()).await;
    let received = queues.call("ReceiveMessage", json!({"QueueUrl": url})).await;
    let handle = &received["Messages"][0]["ReceiptHandle"];
    queues.call("DeleteMessage", json!({"QueueUrl": url, "ReceiptHandle": handle})).await;
    is(false, &dead_letters, Instant::now()).await;

    // A delayed message is received later.
    let age = ["SpillwayQueueAge"];
    let message = event::balance_message(&merchant.id, "USD").to_string();
    let url = queues.url("FoldsQueue").await;
    queues.call("SendMessage", json!({"QueueUrl": url, "MessageBody": message, "DelaySeconds": 10})).await;
    is(true, &age, Instant::now()).await;
    is(false, &age, Instant::now()).await;

    // The processor gives no answer three times. The sweep sets the gauge.
    let oldest = ["SpillwayOldestOperation"];
    let payment = merchant.client.pay(1250, "USD", "tok_unavailable").await;
    let sweep = async || stack.run_due().await;
    until(prometheus, true, &oldest, Instant::now(), sweep).await;
    merchant.client.finished(&payment).await;
    until(prometheus, false, &oldest, Instant::now(), sweep).await;

    let failed = ["SpillwayFailedWork"];
    let rubbish = event::sqs(&vec![json!("rubbish"); 10]);
    let fail = async || drop(stack.invoke("fold-balance", &rubbish).await);
    until(prometheus, true, &failed, Instant::now(), fail).await;
    is(false, &failed, Instant::now()).await;

    // 410 disables the endpoint, so the event's delivery is given up.
    let given_up = ["SpillwayWebhooksGivenUp"];
    let receiver = Receiver::scripted([Reply::Status(410)]).await;
    merchant.client.create_webhook_endpoint(receiver.url(), &["payment.*"]).await;
    merchant.client.paid(1250, "USD").await;
    is(true, &given_up, Instant::now()).await;
    is(false, &given_up, Instant::now()).await;

    is(false, &errors[1..], errors_ended).await;
    assert_eq!(prometheus.firing().await, Ok(BTreeSet::new()), "at the end");
}

/// Waits until all these alerts fire, or none of them does, and prints the time since `since` for each. Calls
/// `meanwhile` between two looks.
async fn until(
    prometheus: &Prometheus, firing: bool, alerts: &[&str], since: Instant, mut meanwhile: impl AsyncFnMut(),
) {
    for alert in alerts {
        let wanted = if firing { "fires" } else { "clears" };
        eventually(&format!("{alert} {wanted}"), Deadline::LATER, async || {
            meanwhile().await;
            let seen = prometheus.firing().await?;
            if seen.contains(*alert) == firing { Ok(()) } else { Err(format!("{seen:?}")) }
        })
        .await;
        println!("  {alert:<26} {wanted:<7} {:>8}", shown(since.elapsed()));
    }
}
