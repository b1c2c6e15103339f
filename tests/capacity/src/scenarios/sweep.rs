//! The sweep after an outage, and a neighbour of a merchant with a dead server.

use std::cell::RefCell;
use std::time::Duration;

use serde_json::{Value, json};
use spillway_domain::id::{EndpointId, EventId, PaymentId};
use spillway_limits::Limits;
use spillway_store::TableKey;

use crate::function::{Function, at};
use crate::merchant;
use crate::template::Template;
use crate::world::World;

/// The sweep begins each minute.
const EVERY: Duration = Duration::from_secs(60);
/// The sweeps of one run.
const SWEEPS_MAX: u32 = 30;

/// Payments a minute that a sweep of this many overdue ones puts on their queue in its fastest second. A sweep begins
/// slowly (`pace.rs` of enqueue-due), and the next one goes on with the rate that it has reached.
pub fn per_minute(template: Template, limits: Limits, overdue: u32) -> u64 {
    let world = World::new(template, limits);
    let merchant = merchant::create(&world, "m", 4);
    let items = (0..overdue).map(|number| {
        let id = PaymentId::derive(&[&number.to_string()]);
        // Their messages were lost at a thousand a second.
        due_item("money", &format!("{merchant}#test#{id}"), "payment", 1_000 + i64::from(overdue - number))
    });
    merchant::put_all(&world, &items.collect::<Vec<_>>());
    let sent = RefCell::new(Vec::new());
    sweep_until(&world, |world| {
        let now = world.queues.sent("ProcessorQueue");
        sent.borrow_mut().push(now);
        now >= u64::from(overdue)
    });
    // A look each tenth of a second.
    let sent = sent.into_inner();
    sent.windows(11).map(|second| second[10] - second[0]).max().unwrap_or_default() * 60
}

/// How much later than its due time a neighbour's retry is put on its queue, while this many deliveries of another merchant
/// are overdue since before it.
pub fn neighbour_late(template: Template, limits: Limits, dead: u32) -> Duration {
    let world = World::new(template, limits);
    let [noisy, neighbour] = ["noisy", "neighbour"].map(|name| merchant::create(&world, name, 4));
    let delivery = |merchant: &str, number: u32, late_ms| {
        let event = EventId::ordered(at(Duration::ZERO), 0, &[&number.to_string()]);
        let endpoint = EndpointId::derive(&[merchant]);
        due_item("deliveries", &format!("{merchant}#test#{event}"), endpoint.as_str(), late_ms)
    };
    let items = (0..dead).map(|number| delivery(&noisy, number, 3_600_000));
    // One for each partition of the due index.
    let neighbours = (0..16).map(|number| delivery(&neighbour, number, 0));
    merchant::put_all(&world, &items.chain(neighbours).collect::<Vec<_>>());
    sweep_until(&world, |world| world.queues.bodies("WebhooksQueue", &neighbour).len() == 16)
}

/// Sweeps each minute until `is_done`. Returns the time that it took.
fn sweep_until(world: &World, is_done: impl Fn(&World) -> bool) -> Duration {
    world.run(|spawner| {
        let function = std::rc::Rc::new(Function::<enqueue_due::Parts>::new(world, "EnqueueDue").on_all_cores());
        for number in 0..SWEEPS_MAX {
            let (world, function) = (world.clone(), std::rc::Rc::clone(&function));
            spawner.spawn(async move {
                world.time.wait_until(EVERY * number).await;
                let (_, result) = function.invoke(enqueue_due::handle).await;
                if let Err(error) = result {
                    eprintln!("  a sweep failed: {error}");
                }
            });
        }
        async move {
            while !is_done(world) && world.time.now() < EVERY * SWEEPS_MAX {
                world.time.wait(Duration::from_millis(100)).await;
            }
            world.time.now()
        }
    })
}

/// An item that is overdue, with the attributes that the sweep needs.
fn due_item(group: &str, pk: &str, sk: &str, late_ms: i64) -> Value {
    let partition = spillway_store::keys::due_partition(
        match group {
            "money" => spillway_store::DueGroup::Money,
            _ => spillway_store::DueGroup::Deliveries,
        },
        &TableKey { pk: pk.to_owned(), sk: sk.to_owned() },
    );
    let due_at = at(Duration::ZERO).plus_millis(-late_ms).to_string();
    json!({"pk": {"S": pk}, "sk": {"S": sk}, "schema": {"N": "1"}, "due": {"S": partition}, "due_at": {"S": due_at},
        "due_claims": {"N": "0"}})
}
