//! The merchants of a peak, and their clients' requests. A client waits and repeats as the API reference asks: after
//! a 429, a 5xx or a lost answer, under the same idempotency key.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use reqwest::Method;
use serde_json::json;

use crate::deliveries::{Deliveries, Manner};
use crate::load_merchant::LoadMerchant;
use crate::meter::Meter;
use crate::refunds::Refunds;
use crate::request_log::Repeat;
use crate::running::RunningStack;
use crate::workload::{self, Order, Workload};

/// Longest time of a payment or refund with all its repeats.
const PATIENCE: Duration = Duration::from_secs(600);
/// Longest time of a read with all its repeats.
const READ_PATIENCE: Duration = Duration::from_secs(20);
/// Longest wait between two repeats.
const LONGEST_WAIT: Duration = Duration::from_secs(32);
/// How long the slow receiver takes.
const SLOW: Duration = Duration::from_secs(2);
const CUSTOMERS: u32 = 10_000;

/// The merchants: name, share of the requests in percent, and how their receivers answer. That of the last one hangs
/// during the flash.
const MERCHANTS: [(&str, u32, Manner); 4] = [
    ("Half", 50, Manner::AtOnce),
    ("Quarter", 25, Manner::AtOnce),
    ("Slow", 15, Manner::After(SLOW)),
    ("Hanging", 10, Manner::AtOnce),
];

/// A request to send.
#[derive(Debug)]
pub(super) enum Action {
    /// Creates a payment, and refunds it later if the order has refunds.
    Pay(Order, Repeat),
    /// Reads a payment that was still processing.
    Poll,
    /// Reads any payment.
    Read,
    /// Reads the first page of a list.
    List(&'static str),
    Balance,
}

/// What callers saw of their reads.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Reads {
    pub sent: usize,
    /// The last answer was a 5xx, or there was none.
    pub failed: usize,
    /// Reads of payments that were processing when they were read before.
    pub polls: usize,
    /// Of these, payments that were still processing.
    pub polls_processing: usize,
}

#[derive(Default)]
struct State {
    /// Accepted payments.
    payments: Vec<String>,
    /// Those that clients poll.
    processing: VecDeque<String>,
    reads: Reads,
}

/// A merchant, and what its clients remember.
pub(super) struct Shop {
    pub merchant: Arc<LoadMerchant>,
    state: Mutex<State>,
}

/// Opens the merchants' shops. `Err` is a sentence.
pub(super) async fn open(
    stack: &RunningStack, deliveries: &Arc<Deliveries>, meter: &Arc<Meter>,
) -> Result<Vec<Arc<Shop>>, String> {
    let mut shops = Vec::new();
    for (name, _, manner) in MERCHANTS {
        let terms = json!({"name": name, "plan": "standard"});
        let mut merchant = LoadMerchant::create_with(stack, deliveries, &terms).await?;
        merchant.client = merchant.client.backing_off(LONGEST_WAIT, meter);
        deliveries.set_manner(merchant.number, manner);
        shops.push(Arc::new(Shop { merchant: Arc::new(merchant), state: Mutex::default() }));
    }
    Ok(shops)
}

/// Makes the receiver of the last merchant hang, or work again.
pub(super) fn set_hanging(shops: &[Arc<Shop>], hangs: bool) {
    if let Some(Shop { merchant, .. }) = shops.last().map(Arc::as_ref) {
        merchant.deliveries.set_manner(merchant.number, if hangs { Manner::Hanging } else { Manner::AtOnce });
    }
}

/// The requests of all merchants in the order in which they arrive, determined by the seed.
pub(super) struct Mix {
    random: fastrand::Rng,
    workloads: Vec<Workload>,
}

impl Mix {
    pub fn new(seed: u64) -> Mix {
        let workloads = MERCHANTS.map(|(name, ..)| Workload::new(seed, name, workload::USUAL)).into();
        Mix { random: fastrand::Rng::with_seed(seed), workloads }
    }

    /// The next request, with the number of its merchant.
    pub fn draw(&mut self) -> (usize, Action) {
        let mut place = self.random.u32(0..100);
        let is_of = |(_, percent, _): &(&str, u32, Manner)| {
            let found = place < *percent;
            place = place.saturating_sub(*percent);
            found
        };
        let merchant = MERCHANTS.iter().position(is_of).unwrap_or_default();
        let action = match self.random.u32(0..100) {
            0..50 => self.pay(merchant),
            50..70 => Action::Poll,
            70..90 => Action::Read,
            90..95 => Action::List(if self.random.bool() { "/payments" } else { "/balance/transactions" }),
            _ => Action::Balance,
        };
        (merchant, action)
    }

    fn pay(&mut self, merchant: usize) -> Action {
        let Some(mut order) = self.workloads[merchant].next() else { return Action::Balance };
        if self.random.bool() {
            order.customer = Some(format!("cus_{}", self.random.u32(0..CUSTOMERS)));
        }
        // A fifteenth of the payments is refunded.
        if self.random.u8(0..5) > 0 {
            order.refunds = Refunds::default();
        }
        let repeat = if self.random.u8(0..50) == 0 { Repeat::After } else { Repeat::Never };
        Action::Pay(order, repeat)
    }
}

impl Shop {
    /// Sends the request, and repeats it until it is answered or the client's patience ends.
    pub async fn act(&self, action: Action) {
        match action {
            Action::Pay(order, repeat) => self.pay(order, repeat).await,
            Action::Poll => self.poll().await,
            Action::Read => {
                let id = fastrand::choice(self.state.lock().unwrap().payments.iter()).cloned();
                self.read(&id.map_or("/payments".to_owned(), |id| format!("/payments/{id}"))).await;
            }
            Action::List(path) => drop(self.read(path).await),
            Action::Balance => drop(self.read("/balance").await),
        }
    }

    pub fn reads(&self) -> Reads {
        self.state.lock().unwrap().reads
    }

    async fn pay(&self, order: Order, repeat: Repeat) {
        let merchant = &self.merchant;
        let payment = merchant.requests.pay(&merchant.client, order.clone(), PATIENCE, repeat).await;
        let Some(payment) = payment else { return };
        {
            let mut state = self.state.lock().unwrap();
            state.payments.push(payment.clone());
            if !order.card.is_prompt {
                state.processing.push_back(payment.clone());
            }
        }
        if !order.refunds.amounts.is_empty() {
            merchant.refund(&order, &payment, PATIENCE).await;
        }
    }

    /// Reads a payment whose processor answers late, else the newest one.
    async fn poll(&self) {
        let polled = {
            let mut state = self.state.lock().unwrap();
            state.processing.pop_front().or_else(|| state.payments.last().cloned())
        };
        let Some(id) = polled else { return drop(self.read("/payments").await) };
        let is_processing = self.read(&format!("/payments/{id}")).await.as_deref() == Some("processing");
        let mut state = self.state.lock().unwrap();
        state.reads.polls += 1;
        if is_processing {
            state.reads.polls_processing += 1;
            state.processing.push_back(id);
        }
    }

    /// Reads a path; returns the status of the object in the answer.
    async fn read(&self, path: &str) -> Option<String> {
        let served = self.merchant.client.request(Method::GET, path).send_patiently(READ_PATIENCE).await;
        let failed = served.last.as_ref().map_or(true, |answer| answer.status.is_server_error());
        let mut state = self.state.lock().unwrap();
        state.reads.sent += 1;
        state.reads.failed += usize::from(failed);
        served.last.ok().and_then(|answer| answer.body["status"].as_str().map(str::to_owned))
    }
}
