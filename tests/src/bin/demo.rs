//! `make demo`: a merchant, 1,000 payments, some refunds, their webhooks, and a check of the books. It uses the stack
//! that runs on `DATA`, or starts and ends its own.

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::future::join;
use futures::{StreamExt, stream};
use spillway_tests::Options;
use spillway_tests::deliveries::Deliveries;
use spillway_tests::demo_report::DemoReport;
use spillway_tests::judge::{Judged, judge};
use spillway_tests::load_merchant::{LoadMerchant, all_delivered};
use spillway_tests::progress::Bar;
use spillway_tests::request_log::Repeat;
use spillway_tests::running::RunningStack;
use spillway_tests::tool::{self, OwnStack, count};
use spillway_tests::verdict::verdict;
use spillway_tests::workload::{self, Order, Workload};
use tokio::sync::mpsc;

/// Longest time for one payment, and for the last webhooks.
const PATIENCE: Duration = Duration::from_secs(120);
/// Longest wait for empty queues. On a stack with other users they never are.
const QUIET_LIMIT: Duration = Duration::from_secs(15);
const LOOK_EVERY: Duration = Duration::from_millis(250);
/// After this many unanswered polls of the table the stack counts as ended.
const LOOKS_IN_VAIN: u32 = 8;

#[tokio::main]
async fn main() -> ExitCode {
    tool::run(demo()).await
}

struct Settings {
    payments: u64,
    clients: u64,
    seed: u64,
    json: bool,
    data: PathBuf,
}

fn settings() -> Result<Settings, String> {
    Ok(Settings {
        payments: tool::number("PAYMENTS", 1_000, 1..=100_000)?,
        clients: tool::number("CLIENTS", 8, 1..=256)?,
        seed: tool::seed()?,
        json: tool::wants_json(),
        data: std::env::var("DATA").ok().filter(|data| !data.is_empty()).unwrap_or_else(|| ".local".to_owned()).into(),
    })
}

async fn demo() -> Result<bool, String> {
    let settings = settings()?;
    let found = RunningStack::find(&settings.data).await;
    let own = match found {
        Some(_) => None,
        None => Some(OwnStack::start(Options::new()).await?),
    };
    let stack = match (&found, &own) {
        (Some(stack), _) => stack.clone(),
        (None, Some(stack)) => RunningStack::clone(stack),
        (None, None) => return Err("There is no stack.".to_owned()),
    };
    let deliveries = Deliveries::start(settings.seed)
        .await
        .map_err(|error| format!("There is no free port for webhooks: {error}."))?;
    let merchant = Arc::new(LoadMerchant::create(&stack, &Arc::new(deliveries), "Demo").await?);
    print_text(&settings, &opening(&settings, &stack, &merchant, own.is_some()));

    let began = Instant::now();
    pay(&settings, &stack, &merchant).await?;
    let took = began.elapsed();
    let Judged { evidence, violations } = look_back(&settings, &stack, &merchant, own.is_some()).await;
    let [evidence] = evidence.as_slice() else { return Err("There is nothing to look at.".to_owned()) };
    let report = DemoReport { evidence, violations: &violations, took, seed: settings.seed };
    if settings.json {
        println!("{}", report.json());
    } else {
        print!("{}\n{}\n", report.text(), verdict(&violations));
    }
    Ok(violations.is_empty())
}

/// Reads everything back and compares it with the requests. Under a plan of few requests a second this takes as long as
/// the payments.
async fn look_back(settings: &Settings, stack: &RunningStack, merchant: &Arc<LoadMerchant>, alone: bool) -> Judged {
    let objects = merchant.requests.accepted() + merchant.requests.refunds_count();
    let mut progress = Bar::of(u64::try_from(objects).unwrap_or_default(), settings.json);
    let judged = judge(stack, std::slice::from_ref(merchant), QUIET_LIMIT, alone, |read| {
        progress
            .set(u64::try_from(read).unwrap_or_default(), &format!("{} payments and refunds read back", count(read)));
    });
    let judged = judged.await;
    progress.clear();
    judged
}

fn print_text(settings: &Settings, text: &str) {
    if !settings.json {
        println!("{text}");
    }
}

fn opening(settings: &Settings, stack: &RunningStack, merchant: &LoadMerchant, own: bool) -> String {
    let whose =
        if own { "started for this demo, and ended with it".to_owned() } else { settings.data.display().to_string() };
    let (payments, seed) = (count(usize::try_from(settings.payments).unwrap_or_default()), settings.seed);
    [
        format!("\nSpillway: {payments} payments from {} clients at once (SEED={seed})\n", settings.clients),
        format!("  stack      {}, {whose}", stack.base_url()),
        format!("  merchant   {}, who pays 290 basis points + 30 for each payment", merchant.id),
        format!(
            "  webhooks   {}, each signature checked with the standardwebhooks crate\n",
            merchant.deliveries.url(merchant.number)
        ),
        "Sending them, refunding some, and waiting for every webhook …".to_owned(),
    ]
    .join("\n")
}

/// Sends all payments and their refunds, and waits for the webhooks.
async fn pay(settings: &Settings, stack: &RunningStack, merchant: &Arc<LoadMerchant>) -> Result<(), String> {
    let payments = usize::try_from(settings.payments).unwrap_or(usize::MAX);
    let clients = usize::try_from(settings.clients).unwrap_or(1);
    let orders: Vec<Order> = Workload::new(settings.seed, "order", workload::USUAL).take(payments).collect();
    let refunds: usize = orders.iter().map(|order| order.refunds.amounts.len()).sum();
    let paying = async {
        let (paid, to_be_refunded) = mpsc::unbounded_channel();
        let orders = orders.into_iter().enumerate().map(move |(number, order)| (paid.clone(), number, order));
        let placed = stream::iter(orders).for_each_concurrent(clients, |(paid, number, order)| async move {
            // Every twentieth is repeated after its answer, as by a client that lost it.
            let repeat = if number % 20 == 7 { Repeat::After } else { Repeat::Never };
            if let Some(payment) = merchant.requests.pay(&merchant.client, order.clone(), PATIENCE, repeat).await {
                // The receiver lives as long as this task.
                let _ = paid.send((order, payment));
            }
        });
        let refunded = stream::unfold(to_be_refunded, async |mut paid| Some((paid.recv().await?, paid)));
        let refunded = refunded.for_each_concurrent(None, async |(order, payment)| {
            merchant.refund(&order, &payment, PATIENCE).await;
        });
        join(placed, refunded).await;
        all_delivered(std::slice::from_ref(merchant), PATIENCE).await
    };
    // Each request, and twice each event: one event for a payment, two for a refund.
    let steps = payments + refunds + 2 * (payments + 2 * refunds);
    let mut progress = Bar::of(u64::try_from(steps).unwrap_or_default(), settings.json);
    let done = tokio::select! {
        _ = paying => Ok(()),
        sentence = watch(stack, merchant, payments, &mut progress) => Err(sentence),
    };
    progress.clear();
    done
}

/// Shows the progress. Returns only if the stack no longer answers, with a sentence that says so.
async fn watch(stack: &RunningStack, merchant: &LoadMerchant, payments: usize, progress: &mut Bar) -> String {
    let table = stack.table();
    let mut in_vain = 0;
    let mut events = 0;
    while in_vain < LOOKS_IN_VAIN {
        match merchant.events(&table).await {
            Some(now) => (events, in_vain) = (now, 0),
            None => in_vain += 1,
        }
        let (accepted, refunds, told) =
            (merchant.requests.accepted(), merchant.requests.refunds_count(), merchant.deliveries.counts().2);
        let done = u64::try_from(accepted + refunds + events + told).unwrap_or_default();
        let [accepted, payments, refunds, events, told] = [accepted, payments, refunds, events, told].map(count);
        let line = format!("{accepted} of {payments} payments · {refunds} refunds · {events} events · {told} webhooks");
        progress.set(done, &line);
        tokio::time::sleep(LOOK_EVERY).await;
    }
    "The stack has ended in the middle of the demo.".to_owned()
}
