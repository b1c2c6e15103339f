//! A weekend peak on its own stack: requests arrive by the clock, whether the ones before are answered or not.

pub mod curve;
pub mod figures;
pub mod plot;
pub mod report;
mod shop;

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tokio::task::JoinSet;
use tokio::time::{Instant as Timer, sleep, sleep_until};

use crate::client;
use crate::deliveries::Deliveries;
use crate::judge::judge;
use crate::load_merchant::{LoadMerchant, all_delivered, queues_empty};
use crate::meter::Meter;
use crate::options::Options;
use crate::percentiles::Percentiles;
use crate::process;
use crate::running::RunningStack;
use crate::show::micros;
use crate::template::{Template, knob};
use crate::tool::OwnStack;
use crate::violation::Violation;

use curve::Slice;
use figures::{Measured, Sample};
use shop::{Mix, Shop};

/// After the curve, webhooks that are missing for this long without any new one never arrive: longer than a lost
/// message's return to its queue, and than unfinished work waits for the sweep.
const STANDSTILL: Duration = Duration::from_secs(420);
/// Longest wait for empty queues.
const QUIET_LIMIT: Duration = Duration::from_secs(120);
const SAMPLE_EVERY: Duration = Duration::from_secs(1);
const KILL_EVERY: Duration = Duration::from_secs(1);
/// The parameters that tests set otherwise, and that a peak leaves as they are deployed.
const AS_DEPLOYED: [&str; 3] = ["BalanceRate", "BalanceBurst", "HighPlanListRate"];
/// The waits of webhooks are compressed as the hours are: a receiver that hung gets its events within seconds.
const WEBHOOK_WAITS: &str = "5,10,15,15,15,15,15,15,15";
/// The runner's metric, in whole seconds. Its label `kind` tells work from dead letters.
const OLDEST_MESSAGE: &str = "sqs_oldest_message_age_seconds{kind=\"work\"";

/// What to run.
#[derive(Debug, Clone)]
pub struct Plan {
    /// The load.
    pub curve: Vec<Slice>,
    /// Seed of the requests and their times.
    pub seed: u64,
    /// Whether a process of a function is killed each second of the flash.
    pub kills: bool,
    /// Address of a cache for the functions.
    pub cache_url: Option<String>,
    /// Requests a second that the stage lets in for each method of a route.
    pub stage_rate: u64,
}

/// Progress of a run.
#[derive(Debug, Clone)]
pub struct Progress {
    /// Time since the first request.
    pub at: Duration,
    /// Requests that have arrived, without repeats and refunds.
    pub arrived: usize,
    /// Events that are expected and not acknowledged.
    pub under_way: usize,
}

/// The result of a run.
#[derive(Debug)]
pub struct Outcome {
    /// The figures, as [`figures::of`] makes them, with those of the whole run.
    pub figures: Value,
    /// Broken promises.
    pub violations: Vec<Violation>,
}

/// Runs the plan, and calls `on_progress` with the progress about once a second. `Err` is a sentence.
pub async fn run(plan: &Plan, mut on_progress: impl FnMut(&Progress)) -> Result<Outcome, String> {
    let stack = OwnStack::start(options(plan)?).await?;
    let running = RunningStack::clone(&stack);
    let deliveries = Deliveries::start(plan.seed).await;
    let deliveries = Arc::new(deliveries.map_err(|error| format!("There is no free port for webhooks: {error}."))?);
    let meter = Arc::new(Meter::default());
    let shops = shop::open(&running, &deliveries, &meter).await?;
    let merchants: Vec<Arc<LoadMerchant>> = shops.iter().map(|shop| Arc::clone(&shop.merchant)).collect();

    let arrivals = curve::arrivals(&plan.curve, &mut fastrand::Rng::with_seed(plan.seed));
    let began = Instant::now();
    let (samples, killed) = (Arc::<Mutex<Vec<Sample>>>::default(), Arc::<Mutex<usize>>::default());
    let mut helpers = JoinSet::new();
    helpers.spawn(watch(running.clone(), merchants.clone(), began, Arc::clone(&samples)));
    helpers.spawn(flash(plan.clone(), shops.clone(), began, stack.pid(), Arc::clone(&killed)));
    let mut sending = tokio::spawn(send(plan.seed, shops.clone(), arrivals.clone(), began));
    let lags = loop {
        let under_way = samples.lock().unwrap().last().map_or(0, |sample| sample.under_way);
        let at = began.elapsed();
        let arrived = arrivals.partition_point(|arrival| *arrival <= at);
        on_progress(&Progress { at, arrived, under_way });
        tokio::select! {
            lags = &mut sending => break lags.map_err(|error| format!("The clients ended: {error}."))?,
            () = sleep(SAMPLE_EVERY) => {}
        }
    };
    all_delivered(&merchants, STANDSTILL).await;
    queues_empty(&running, QUIET_LIMIT).await;
    let drained = began.elapsed();
    helpers.shutdown().await;
    let (tries, samples) = (meter.tries(), samples.lock().unwrap().clone());

    let judged = judge(&running, &merchants, QUIET_LIMIT, true, |_| ()).await;
    let (mut sent, mut failed) = (0, 0);
    let (mut polls, mut polls_processing) = (0, 0);
    for reads in shops.iter().map(|shop| shop.reads()) {
        (sent, failed) = (sent + reads.sent, failed + reads.failed);
        (polls, polls_processing) = (polls + reads.polls, polls_processing + reads.polls_processing);
    }
    for evidence in &judged.evidence {
        sent += evidence.sent.len() + evidence.refunds.len();
        failed += evidence.sent.iter().filter(|sent| sent.gave_up.is_some()).count();
        failed += evidence.refunds.iter().filter(|sent| sent.gave_up.is_some()).count();
    }
    let measured = Measured { curve: plan.curve.clone(), began, arrivals, tries, samples, drained };
    let mut figures = figures::of(&measured);
    let (webhooks, attempts, _) = deliveries.counts();
    figures["seed"] = json!(plan.seed);
    figures["cache"] = json!(plan.cache_url);
    figures["killed"] = json!(plan.kills.then(|| *killed.lock().unwrap()));
    figures["callers"] = json!({"requests": sent, "failed": failed});
    figures["polls"] = json!({"sent": polls, "still_processing": polls_processing});
    figures["lag_p99_us"] = json!(micros(lags.at(99)));
    figures["payments"] = json!(judged.evidence.iter().map(|each| each.accepted().len()).sum::<usize>());
    figures["refunds"] = json!(judged.evidence.iter().map(|each| each.accepted_refunds().len()).sum::<usize>());
    figures["webhooks"] = json!({"events": webhooks, "attempts": attempts});
    figures["violations"] = json!(judged.violations.iter().map(ToString::to_string).collect::<Vec<_>>());
    Ok(Outcome { figures, violations: judged.violations })
}

/// The stack as it is deployed, but for the waits of webhooks. `Err` is a sentence.
fn options(plan: &Plan) -> Result<Options, String> {
    let template = Template::read();
    let default = |name: &str| template.get(&["Parameters", name, "Default"]).cloned().unwrap_or_default();
    let options = AS_DEPLOYED.iter().fold(Options::new(), |options, name| options.knob(&knob(name), default(name)));
    // A few customers stand for many, so their declined payments would be taken for card testing.
    let options = options.knob("WEBHOOK_WAITS_SECONDS", WEBHOOK_WAITS).knob("FAILED_PAYMENTS_MAX", 0);
    // On AWS, functions get more environments under load. Here they share this machine, so the stage lets in less.
    let options = options.knob("STAGE_RATE", plan.stage_rate).knob("STAGE_BURST", plan.stage_rate);
    match &plan.cache_url {
        Some(_) if template.get(&["Parameters", "CacheUrl"]).is_none() => {
            Err("The template has no parameter CacheUrl: start this without CACHE_URL.".to_owned())
        }
        Some(url) => Ok(options.knob("CACHE_URL", url)),
        None => Ok(options),
    }
}

/// Sends each request at its time. Returns how late they were sent, once all are answered.
async fn send(seed: u64, shops: Vec<Arc<Shop>>, arrivals: Vec<Duration>, began: Instant) -> Percentiles {
    let (mut mix, mut sent, mut lags) = (Mix::new(seed), JoinSet::new(), Vec::new());
    for arrival in arrivals {
        sleep_until(Timer::from_std(began + arrival)).await;
        lags.push(began.elapsed().saturating_sub(arrival));
        let (merchant, action) = mix.draw();
        let shop = Arc::clone(&shops[merchant]);
        sent.spawn(async move { shop.act(action).await });
        while sent.try_join_next().is_some() {}
    }
    while sent.join_next().await.is_some() {}
    Percentiles::of(lags)
}

/// Lets a receiver hang during the flash, and kills functions if the plan says so.
async fn flash(plan: Plan, shops: Vec<Arc<Shop>>, began: Instant, runner: u32, killed: Arc<Mutex<usize>>) {
    let flash = curve::flash(&plan.curve);
    let mut random = fastrand::Rng::with_seed(plan.seed);
    sleep_until(Timer::from_std(began + flash.start)).await;
    shop::set_hanging(&shops, !flash.is_empty());
    while plan.kills && began.elapsed() + KILL_EVERY < flash.end {
        sleep(KILL_EVERY).await;
        let pid = process::of_a_program(runner, &mut random).first().copied();
        *killed.lock().unwrap() += usize::from(pid.is_some_and(|pid| process::signal(pid, "KILL")));
    }
    sleep_until(Timer::from_std(began + flash.end)).await;
    shop::set_hanging(&shops, false);
}

/// Notes once a second what waits.
async fn watch(
    stack: RunningStack, merchants: Vec<Arc<LoadMerchant>>, began: Instant, samples: Arc<Mutex<Vec<Sample>>>,
) {
    let (http, url) = (client::http(), format!("{}/_metrics", stack.base_url().trim_end_matches("/v1")));
    loop {
        let page = async { http.get(&url).send().await?.text().await }.await.unwrap_or_default();
        let expected: usize = merchants.iter().map(|merchant| merchant.requests.expected_count()).sum();
        let acknowledged = merchants.first().map_or(0, |merchant| merchant.deliveries.counts().2);
        let under_way = expected.saturating_sub(acknowledged);
        samples.lock().unwrap().push(Sample { at: began.elapsed(), oldest: oldest_message(&page), under_way });
        sleep(SAMPLE_EVERY).await;
    }
}

/// Age of the oldest message of the work queues, from the runner's page of metrics; `None` if the page does not have it.
fn oldest_message(page: &str) -> Option<Duration> {
    let of_queues = page.lines().filter(|line| line.starts_with(OLDEST_MESSAGE));
    let seconds = of_queues.filter_map(|line| line.rsplit(' ').next()?.parse().ok());
    seconds.max().map(Duration::from_secs)
}
