//! Payments at a rate: accepted, charged by the sandbox, committed, folded.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use serde_json::json;
use spillway_domain::balance::FOLD_MAX;
use spillway_limits::{Limits, Refusals};

use crate::function::Function;
use crate::http::{Requests, set_header, status};
use crate::template::Template;
use crate::world::World;
use crate::{merchant, poller, stream};

/// How long after the last request everything must be done.
const GRACE: Duration = Duration::from_secs(6);

/// A load.
#[derive(Clone, Debug)]
pub struct Load {
    /// Merchants, each with an equal part of the requests.
    pub merchants: u32,
    /// Shards of each merchant.
    pub shards: u16,
    /// Requests a second.
    pub per_s: u32,
    /// Seconds of requests.
    pub seconds: u32,
}

/// What became of a load.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// Answers by status.
    pub accepted: u32,
    /// Answers with another status than 202.
    pub refused: u32,
    /// Payments that had succeeded at the end.
    pub succeeded: u64,
    /// Payments that were accepted and not done when the last request was sent.
    pub behind: u64,
    /// Movements that no fold had deleted at the end.
    pub unfolded: u64,
    /// The time under which 99 of 100 requests were answered.
    pub answered_p99: Duration,
    /// Refusals of the table by limit.
    pub refusals: Refusals,
    /// Write units of the table and its indexes for each payment, times ten.
    pub write_units_tenths: u64,
}

impl Outcome {
    /// Whether the load was carried: every request accepted and 99 of 100 answered within a second; at its end at most the
    /// payments of one second not done; every payment done, and all but each part's last fold deleted, within [`GRACE`].
    pub fn holds(&self, load: &Load) -> bool {
        let parts = u64::from(load.merchants) * u64::from(load.shards.div_ceil(4));
        self.refused == 0
            && self.succeeded == u64::from(self.accepted)
            && self.behind <= u64::from(load.per_s)
            && self.unfolded <= parts * u64::try_from(FOLD_MAX).unwrap() + u64::from(load.per_s)
            && self.answered_p99 <= Duration::from_secs(1)
    }
}

/// Runs a load on an empty table within these limits.
pub fn run(template: Template, limits: Limits, load: &Load) -> Outcome {
    let world = World::new(template, limits);
    let merchants: Vec<String> =
        (0..load.merchants).map(|number| merchant::create(&world, &format!("m-{number}"), load.shards)).collect();
    let answers: Rc<RefCell<Vec<(u16, Duration)>>> = Rc::default();
    let behind = world.run(|spawner| {
        stream::start(&world, &spawner);
        poller::start_all(&world, &spawner);
        let function = Rc::new(Function::<create_payment::Parts>::new(&world, "CreatePayment"));
        let (world, answers, load) = (world.clone(), Rc::clone(&answers), load.clone());
        async move {
            let requests = Requests::like("create-payment/card.json");
            let count = load.per_s * load.seconds;
            for number in 0..count {
                world.time.wait_until(Duration::from_secs(1) * number / load.per_s).await;
                let merchant = &merchants[usize::try_from(number % load.merchants).unwrap()];
                let mut event = requests.of(merchant, load.shards);
                set_header(&mut event, "Idempotency-Key", &format!("order-{number}"));
                event["body"] = json!(r#"{"amount":1250,"currency":"USD","token":"tok_visa"}"#);
                let request = spillway_wire::read_request(&event.to_string()).ok().unwrap();
                let (world, function, answers) = (world.clone(), Rc::clone(&function), Rc::clone(&answers));
                spawner.spawn(async move {
                    let began = world.time.now();
                    let answer = function.invoke(async |context, _| {
                        let caller = create_payment::ENDPOINT.authorized(&request, context.now())?;
                        create_payment::handle(context, caller, request).await
                    });
                    let status = status(answer.await);
                    answers.borrow_mut().push((status, world.time.now() - began));
                });
            }
            let behind = u64::from(count).saturating_sub(world.counter.now().succeeded);
            world.time.wait(GRACE).await;
            behind
        }
    });
    outcome(&world, &answers.borrow(), behind)
}

fn outcome(world: &World, answers: &[(u16, Duration)], behind: u64) -> Outcome {
    let accepted = u32::try_from(answers.iter().filter(|(status, _)| *status == 202).count()).unwrap();
    let mut times: Vec<Duration> = answers.iter().map(|(_, took)| *took).collect();
    times.sort();
    let counts = world.counter.now();
    Outcome {
        accepted,
        refused: u32::try_from(answers.len()).unwrap() - accepted,
        succeeded: counts.succeeded,
        behind,
        unfolded: counts.left(),
        answered_p99: times.get(times.len() * 99 / 100).copied().unwrap_or_default(),
        refusals: world.store.take_refusals(),
        write_units_tenths: world.store.written_halves() * 5 / u64::from(accepted.max(1)),
    }
}

/// The highest rate of a ladder that is carried, with the outcome of the first that is not. 0 if none is.
pub fn highest(template: &Template, limits: &Limits, load: &Load, ladder: &[u32]) -> (u32, Option<Outcome>) {
    let mut carried = 0;
    for per_s in ladder {
        let load = Load { per_s: *per_s, ..load.clone() };
        let outcome = run(template.clone(), limits.clone(), &load);
        eprintln!(
            "  {load:?}: {} accepted, {} refused, {} done, {} behind, {} unfolded, p99 {:?}",
            outcome.accepted,
            outcome.refused,
            outcome.succeeded,
            outcome.behind,
            outcome.unfolded,
            outcome.answered_p99
        );
        if !outcome.holds(&load) {
            return (carried, Some(outcome));
        }
        carried = *per_s;
    }
    (carried, None)
}
