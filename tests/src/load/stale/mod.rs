//! Reads through the cache among writes, while the cache fails in all kinds of ways. Each answer is compared with what
//! was acknowledged before its request began.

mod faults;
mod object;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use fastrand::Rng;
use serde_json::json;
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::cache::Cache;
use crate::client::unique;
use crate::options::Options;
use crate::system::Merchant;
use crate::tool::{OwnStack, count, grouped, shown};

use object::Object;

const MERCHANTS: usize = 2;
/// Of a thousand requests, those that create a payment, refund one, and read one of another merchant.
const PER_MILLE: [u32; 3] = [20, 15, 10];
/// Payments and refunds that are read. More are forgotten, so that most are read often.
const OBJECTS_MAX: usize = 600;
const AMOUNT: i64 = 1_000;
/// Reads from the beginning of a fault to its end, and from there to the next fault.
const READS_IN_FAULT: u64 = 200;
const READS_BETWEEN: u64 = 600;
/// Most contradictions that are recorded.
const FOUND_MAX: usize = 20;
/// Time after which clients that do not get on have failed.
const STANDSTILL: Duration = Duration::from_secs(120);
/// Tokens of cards, with their share in tenths, and whether refunds succeed.
const CARDS: [(&str, u32, bool); 3] =
    [("tok_visa", 5, true), ("tok_declined", 3, true), ("tok_refund_fails", 2, false)];

/// The size of a run.
#[derive(Debug, Clone, Copy)]
pub struct Plan {
    /// Reads, at least.
    pub reads: u64,
    /// Number of concurrent clients.
    pub clients: u64,
    /// Seed of each client's choices.
    pub seed: u64,
}

/// The result of a run.
#[derive(Debug)]
pub struct Report {
    /// Reads of a payment or refund.
    pub reads: u64,
    /// Payments and refunds that were created.
    pub writes: u64,
    /// Values that the cache found.
    pub hits: u64,
    /// How often each fault was injected.
    pub faults: BTreeMap<String, u64>,
    /// Answers of 5xx, which the table's stand-in causes on a machine that is too busy.
    pub unavailable: u64,
    /// Stale, contradictory and unexpected answers, as sentences.
    pub found: Vec<String>,
    /// Duration of the run.
    pub took: Duration,
}

struct Run {
    plan: Plan,
    merchants: Vec<Merchant>,
    objects: Mutex<Vec<Arc<Object>>>,
    reads: watch::Sender<u64>,
    writes: AtomicU64,
    unavailable: AtomicU64,
    found: Mutex<Vec<String>>,
    ended: AtomicBool,
}

/// Runs the plan, and calls `on_progress` with the number of reads now and then. `Err` is a sentence: the stack can't
/// start.
pub async fn run(plan: Plan, on_progress: impl Fn(u64) + Send + 'static) -> Result<Report, String> {
    let mut cache = Cache::start().await;
    let mut options = Options::new().knob("CACHE_URL", cache.url());
    for knob in ["STAGE_RATE", "STAGE_BURST", "HIGH_PLAN_RATE", "HIGH_PLAN_BURST"] {
        options = options.knob(knob, 100_000);
    }
    let stack = OwnStack::start(options).await?;
    let mut merchants = Vec::new();
    for _ in 0..MERCHANTS {
        merchants.push(stack.new_merchant().await);
    }
    let began = Instant::now();
    let run = Arc::new(Run {
        plan,
        merchants,
        objects: Mutex::default(),
        reads: watch::Sender::new(0),
        writes: AtomicU64::new(0),
        unavailable: AtomicU64::new(0),
        found: Mutex::default(),
        ended: AtomicBool::new(false),
    });
    let mut clients = JoinSet::new();
    for client in 0..plan.clients {
        let random = Rng::with_seed(plan.seed.wrapping_add(client));
        clients.spawn(Arc::clone(&run).work(random));
    }
    let mut progress = run.reads.subscribe();
    clients.spawn(async move {
        while progress.changed().await.is_ok() {
            on_progress(*progress.borrow_and_update());
        }
    });
    let (faults, hits) = faults::inject(&run, &mut cache).await;
    run.ended.store(true, Ordering::Relaxed);
    let last = *run.reads.borrow();
    let found = run.found.lock().unwrap().clone();
    clients.shutdown().await;
    Ok(Report {
        reads: last,
        writes: run.writes.load(Ordering::Relaxed),
        hits,
        faults,
        unavailable: run.unavailable.load(Ordering::Relaxed),
        found,
        took: began.elapsed(),
    })
}

impl Run {
    fn has_read_all(&self) -> bool {
        *self.reads.borrow() >= self.plan.reads
    }

    /// Waits for this many further reads.
    async fn reads_on(&self, further: u64) {
        let mut reads = self.reads.subscribe();
        let until = *reads.borrow() + further;
        let wait = reads.wait_for(|reads| *reads >= until);
        assert!(tokio::time::timeout(STANDSTILL, wait).await.is_ok(), "the clients do not get on");
    }

    /// One client, until the run ends.
    async fn work(self: Arc<Run>, mut random: Rng) {
        while !self.ended.load(Ordering::Relaxed) {
            let [create, refund, foreign] = PER_MILLE;
            let chosen = self.choose(&mut random);
            match (random.u32(0..1_000), chosen) {
                (_, None) => self.create(&mut random).await,
                (dice, Some(_)) if dice < create => self.create(&mut random).await,
                (dice, Some(payment)) if dice < create + refund => self.refund(&payment).await,
                (dice, Some(object)) if dice < create + refund + foreign => self.read_as_another(&object).await,
                (_, Some(object)) => self.read(&object).await,
            }
        }
    }

    fn choose(&self, random: &mut Rng) -> Option<Arc<Object>> {
        let objects = self.objects.lock().unwrap();
        random.choice(objects.as_slice()).cloned()
    }

    async fn create(&self, random: &mut Rng) {
        let merchant = random.usize(0..MERCHANTS);
        let mut dice = random.u32(0..10);
        let card = CARDS.iter().find(|(_, tenths, _)| {
            let is_it = dice < *tenths;
            dice = dice.saturating_sub(*tenths);
            is_it
        });
        let (token, _, keeps_refunds) = card.unwrap_or(&CARDS[0]);
        let body = json!({"amount": AMOUNT, "currency": "USD", "token": token});
        let answer = self.merchants[merchant].client.create_payment(&unique(), &body).await;
        match answer.status.as_u16() {
            202 => self.add(Object::new(merchant, &answer, *keeps_refunds)),
            500.. => self.not_served(),
            _ => self.note(format!("a payment was answered {}", answer.described())),
        }
    }

    async fn refund(&self, payment: &Object) {
        if !payment.is_paid() {
            return;
        }
        let amount = AMOUNT / 10;
        let client = &self.merchants[payment.merchant].client;
        let request = client.refund_request(&payment.id, &unique(), amount.unsigned_abs());
        let answer = request.send().await;
        match answer.status.as_u16() {
            202 => {
                payment.refunded(amount);
                self.add(Object::new(payment.merchant, &answer, true));
            }
            409 => {}
            500.. => self.not_served(),
            _ => self.note(format!("a refund of {} was answered {}", payment.id, answer.described())),
        }
    }

    async fn read(&self, object: &Object) {
        let before = object.known();
        let answer = self.merchants[object.merchant].client.get(&object.path()).await;
        match answer.status.as_u16() {
            500.. => self.not_served(),
            _ => object.check(&before, &answer).into_iter().for_each(|found| self.note(found)),
        }
        self.reads.send_modify(|reads| *reads += 1);
    }

    async fn read_as_another(&self, object: &Object) {
        let answer = self.merchants[(object.merchant + 1) % MERCHANTS].client.get(&object.path()).await;
        if answer.status.is_server_error() {
            self.not_served();
        } else if answer.status != 404 {
            self.note(format!("{}: another merchant was answered {}", object.id, answer.described()));
        }
        self.reads.send_modify(|reads| *reads += 1);
    }

    fn add(&self, object: Object) {
        self.writes.fetch_add(1, Ordering::Relaxed);
        let mut objects = self.objects.lock().unwrap();
        if objects.len() >= OBJECTS_MAX {
            let replaced = fastrand::usize(0..objects.len());
            objects.swap_remove(replaced);
        }
        objects.push(Arc::new(object));
    }

    fn not_served(&self) {
        self.unavailable.fetch_add(1, Ordering::Relaxed);
    }

    fn note(&self, found: String) {
        eprintln!("  {found}");
        let mut all = self.found.lock().unwrap();
        if all.len() < FOUND_MAX {
            all.push(found);
        }
    }
}

impl Report {
    /// The report as text.
    pub fn text(&self) -> String {
        let number = |number: u64| grouped(i64::try_from(number).unwrap_or(i64::MAX));
        let mut lines = vec![
            format!("{:<14}{:>10}   in {}", "Reads", number(self.reads), shown(self.took)),
            format!("{:<14}{:>10}", "Cache hits", number(self.hits)),
            format!("{:<14}{:>10}", "Writes", number(self.writes)),
            format!("{:<14}{:>10}\n\nFaults of the cache", "Answered 5xx", number(self.unavailable)),
        ];
        lines.extend(self.faults.iter().map(|(fault, times)| format!("{:>10} × {fault}", number(*times))));
        lines.push(match self.found.as_slice() {
            [] => "\nNo answer was stale or contradictory.".to_owned(),
            found => format!("\n{} answers were wrong:\n  {}", count(found.len()), found.join("\n  ")),
        });
        lines.join("\n") + "\n"
    }
}
