//! Load on its own stack during all kinds of faults, judged by the oracle.

mod faults;
mod report;

use std::fs;
use std::ops::Range;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use tokio::task::JoinSet;

use crate::deliveries::Deliveries;
use crate::judge::{Judged, judge};
use crate::load_merchant::LoadMerchant;
use crate::options::Options;
use crate::outcomes;
use crate::queues;
use crate::request_log::{Errors, Repeat};
use crate::running::RunningStack;
use crate::stack::{Stack, free_port};
use crate::store_proxy::Met;
use crate::template::Template;
use crate::terms::CURRENCIES;
use crate::tool::OwnStack;
use crate::violation::{Kind, Violation};
use crate::workload::{self, Workload};

use faults::Injector;
pub use report::Report;

/// Longest time for one payment.
const PATIENCE: Duration = Duration::from_secs(240);
/// After the faults, webhooks that are missing for this long without any new one never arrive. Lost work is due again
/// only after as long as it has waited already, so the age of the oldest payment is added.
const STANDSTILL: Duration = Duration::from_secs(75);
/// Longest wait for empty queues before the oracle reads.
const QUIET_LIMIT: Duration = Duration::from_secs(45);
/// Interval of enqueue-due.
const DUE_EVERY: Duration = Duration::from_secs(2);
/// Most violations recorded during a run; each check would record the same ones again.
const SEEN_MAX: usize = 50;
/// Interval of a merchant's balance checks.
const BALANCE_EVERY: Duration = Duration::from_millis(300);
/// During the faults each write holds its items for this long, in conflict with other writes.
const WRITES_TAKE: Duration = Duration::from_millis(15);
/// Interval of faults in milliseconds.
const FAULTS_EVERY_MS: Range<u64> = 200..1_400;

/// The size of a run.
#[derive(Debug, Clone)]
pub struct Plan {
    /// How long faults are injected.
    pub length: Duration,
    /// Seed of the payments and of the faults' order.
    pub seed: u64,
    /// Number of concurrent clients.
    pub clients: usize,
    /// Number of merchants that the clients belong to.
    pub merchants: usize,
    /// Pause of each client between two payments in milliseconds; determines the load.
    pub pauses_ms: Range<u64>,
}

/// Progress of a run.
#[derive(Debug, Clone)]
pub struct Progress {
    /// Remaining time of the faults; `None` while the run waits for missing events.
    pub left: Option<Duration>,
    /// Accepted payments.
    pub accepted: usize,
    /// Received events.
    pub events: usize,
    /// Accepted and refused refunds.
    pub refunds: usize,
    /// Acknowledged events.
    pub acknowledged: usize,
    /// Faults so far by kind.
    pub faults: Met,
}

/// State shared by the tasks of a run.
struct Run {
    plan: Plan,
    merchants: Vec<Arc<LoadMerchant>>,
    deliveries: Arc<Deliveries>,
    ended: AtomicBool,
    /// Violations found during the run.
    seen: Mutex<Vec<Violation>>,
}

/// Runs the plan and calls `on_progress` with the progress about once a second. `Err` is a sentence: the stack can't start.
pub async fn run(plan: &Plan, mut on_progress: impl FnMut(&Progress)) -> Result<Report, String> {
    let mut stack = OwnStack::start(options()).await?;
    let running = RunningStack::clone(&stack);
    let deliveries =
        Deliveries::start(plan.seed).await.map_err(|error| format!("There is no free port for webhooks: {error}."))?;
    let deliveries = Arc::new(deliveries);
    let mut merchants = Vec::new();
    for number in 0..plan.merchants {
        merchants.push(Arc::new(LoadMerchant::create(&running, &deliveries, &format!("Chaos {number}")).await?));
    }
    let (ended, seen) = (AtomicBool::new(false), Mutex::default());
    let run = Arc::new(Run { plan: plan.clone(), merchants, deliveries, ended, seen });

    let mut clients = JoinSet::new();
    for number in 0..plan.clients {
        clients.spawn(send(Arc::clone(&run), number));
    }
    let mut helpers = JoinSet::new();
    helpers.spawn(run_due(running.clone()));
    run.merchants
        .iter()
        .for_each(|merchant| drop(helpers.spawn(watch_balance(Arc::clone(&run), Arc::clone(merchant)))));

    let mut injector = Injector::new(fastrand::Rng::with_seed(plan.seed));
    let began = Instant::now();
    run.deliveries.set_failing(true);
    stack.store_proxy().set_conflicts(WRITES_TAKE);
    if let Err(log) = inject(&run, &mut stack, &mut injector, &mut on_progress).await {
        let why = log.lines().last().unwrap_or_default().to_owned();
        let kept = keep(&mut stack, plan.seed).await.unwrap_or_default();
        return Err(format!("The stack did not start again: {why} (its data is kept in {})", kept.display()));
    }
    run.deliveries.set_failing(false);
    stack.store_proxy().heal();
    injector.note_met(&stack);
    run.ended.store(true, Ordering::Relaxed);

    let calm = Instant::now();
    // A client ends with its last payment, or at the end of its patience.
    while clients.join_next().await.is_some() {}
    let standstill =
        STANDSTILL + run.merchants.iter().map(|merchant| merchant.oldest_undelivered()).max().unwrap_or_default();
    let (mut counts, mut changed) = (run.deliveries.counts(), Instant::now());
    while run.undelivered() > 0 && changed.elapsed() < standstill {
        on_progress(&run.progress(&injector, None));
        tokio::time::sleep(Duration::from_secs(1)).await;
        if counts != run.deliveries.counts() {
            (counts, changed) = (run.deliveries.counts(), Instant::now());
        }
    }
    let awaited = calm.elapsed();
    helpers.shutdown().await;

    let report = conclude(&run, &RunningStack::clone(&stack), &injector, began.elapsed(), awaited).await;
    if report.violations.is_empty() {
        Ok(report)
    } else {
        Ok(Report { kept: keep(&mut stack, plan.seed).await, ..report })
    }
}

/// Short waits, enough webhook attempts that none is given up, messages that reappear after seconds, caches of a
/// second, and a fixed port for restarts.
fn options() -> Options {
    let visible =
        |template: Template, queue: &str| template.with(&["Resources", queue, "Properties", "VisibilityTimeout"], "30");
    let template = queues::WORK.into_iter().fold(Template::read(), visible);
    let template = template
        .with(&["Resources", "DeliverWebhook", "Properties", "Timeout"], "30")
        .with(&["Parameters", "WebhookWaitsSeconds", "MaxLength"], "1000");
    let webhook_waits = format!("1,1,1,2,2,2{}", ",3".repeat(200));
    Options::new()
        .template(template)
        .store_proxy()
        .knob("PORT", free_port())
        .knob("FIRST_DUE_SECONDS", 2)
        .knob("CLAIM_SECONDS", 1)
        .knob("CACHE_SECONDS", 1)
        .knob("FOLD_DELAY_SECONDS", 1)
        .knob("PROCESSOR_WAITS_SECONDS", "1,1,1,1,2")
        .knob("WEBHOOK_WAITS_SECONDS", webhook_waits)
        .knob("WEBHOOK_DEADLINE_MS", 1_000)
}

/// Injects faults for the plan's length. `Err` is the end of the log of a stack that does not start again.
async fn inject(
    run: &Run, stack: &mut Stack, injector: &mut Injector, on_progress: &mut impl FnMut(&Progress),
) -> Result<(), String> {
    let until = Instant::now() + run.plan.length;
    let mut next_word = Instant::now();
    while Instant::now() < until {
        if next_word <= Instant::now() {
            on_progress(&run.progress(injector, Some(until.saturating_duration_since(Instant::now()))));
            // The recorded calls are not needed and grow.
            stack.store_proxy().forget_calls();
            next_word = Instant::now() + Duration::from_secs(1);
        }
        injector.inject(stack).await?;
        tokio::time::sleep(Duration::from_millis(injector.pause_ms(FAULTS_EVERY_MS))).await;
    }
    Ok(())
}

/// One client: payment after payment, each until it is accepted, and refunds of the paid ones.
async fn send(run: Arc<Run>, number: usize) {
    let merchant = &run.merchants[number % run.merchants.len()];
    let workload = Workload::new(run.plan.seed, &format!("client-{number}"), workload::EVERYTHING);
    let mut random = fastrand::Rng::with_seed(run.plan.seed.wrapping_add(u64::try_from(number).unwrap_or_default()));
    let mut refunds = JoinSet::new();
    for order in workload {
        let repeat = if random.u8(0..20) == 0 { Repeat::After } else { Repeat::Never };
        if let Some(payment) = merchant.requests.pay(&merchant.client, order.clone(), PATIENCE, repeat).await {
            let merchant = Arc::clone(merchant);
            refunds.spawn(async move { merchant.refund(&order, &payment, PATIENCE).await });
        }
        // Forgets finished tasks.
        while refunds.try_join_next().is_some() {}
        tokio::time::sleep(Duration::from_millis(random.u64(run.plan.pauses_ms.clone()))).await;
        if run.ended.load(Ordering::Relaxed) {
            break;
        }
    }
    while refunds.join_next().await.is_some() {}
}

/// Runs enqueue-due more often than the schedule. A failure is one of the faults.
async fn run_due(stack: RunningStack) {
    loop {
        let _ = stack.try_run_due().await;
        tokio::time::sleep(DUE_EVERY).await;
    }
}

/// Checks a merchant's balance all the time. A balance contains everything committed before its read. So it is at least
/// what the webhooks had reported before, less all refunds sent until then; and at most the net of all orders sent
/// until then, less the refunds that were surely made before.
async fn watch_balance(run: Arc<Run>, merchant: Arc<LoadMerchant>) {
    loop {
        let before = CURRENCIES.map(|currency| {
            (merchant.deliveries.earned(merchant.number, currency), merchant.requests.sums(currency).refunded_at_least)
        });
        if let Ok(balance) = merchant.balance(Duration::ZERO).await {
            for (currency, (earned, given)) in CURRENCIES.into_iter().zip(before) {
                let (available, pending) = balance.get(currency).copied().unwrap_or_default();
                let (total, sums) = (available + pending, merchant.requests.sums(currency));
                let (least, most) = (earned - sums.refunded_at_most, sums.earned_at_most - given);
                if total < least || total > most {
                    let sentence = format!(
                        "{}'s balance was {total} {currency} when it had to be {least} at least and {most} at most",
                        merchant.id
                    );
                    let mut seen = run.seen.lock().unwrap();
                    if seen.len() < SEEN_MAX {
                        seen.push(Kind::Wrong.of(sentence));
                    }
                }
            }
        }
        tokio::time::sleep(BALANCE_EVERY).await;
    }
}

impl Run {
    fn undelivered(&self) -> usize {
        self.merchants.iter().map(|merchant| merchant.undelivered()).sum()
    }

    fn progress(&self, injector: &Injector, left: Option<Duration>) -> Progress {
        let (events, _, acknowledged) = self.deliveries.counts();
        let accepted = self.merchants.iter().map(|merchant| merchant.requests.accepted()).sum();
        let refunds = self.merchants.iter().map(|merchant| merchant.requests.refunds_count()).sum();
        Progress { left, accepted, refunds, events, acknowledged, faults: injector.happened().clone() }
    }
}

/// Runs the oracle.
async fn conclude(run: &Run, stack: &RunningStack, injector: &Injector, took: Duration, awaited: Duration) -> Report {
    let judged = judge(stack, &run.merchants, QUIET_LIMIT, true, |_| ()).await;
    let Judged { evidence, violations: found } = judged;
    let mut violations = std::mem::take(&mut *run.seen.lock().unwrap());
    violations.extend(found);
    let mut errors = Errors::new();
    for (error, times) in run.merchants.iter().flat_map(|merchant| merchant.requests.errors()) {
        *errors.entry(error).or_default() += times;
    }
    let (webhooks, attempts, _) = run.deliveries.counts();
    Report {
        seed: run.plan.seed,
        took,
        awaited,
        payments: evidence.iter().map(|each| each.accepted().len()).sum(),
        refunds: evidence.iter().map(|each| each.accepted_refunds().len()).sum(),
        outcomes: outcomes::of_payments(&evidence),
        refund_outcomes: outcomes::of_refunds(&evidence),
        errors,
        repeated: run.merchants.iter().map(|merchant| merchant.requests.repeated()).sum(),
        faults: injector.happened().clone(),
        receiver_faults: run.deliveries.faults(),
        webhooks,
        attempts,
        entries: evidence.iter().map(|each| each.books.entries.len()).sum(),
        violations,
        kept: None,
    }
}

/// Ends the stack and keeps its folder for analysis.
async fn keep(stack: &mut Stack, seed: u64) -> Option<PathBuf> {
    stack.kill().await;
    let kept = stack.data().with_file_name(format!("chaos-{seed}"));
    let _ = fs::remove_dir_all(&kept);
    fs::rename(stack.data(), &kept).ok().map(|()| kept)
}
