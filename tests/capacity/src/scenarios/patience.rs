//! How long a store may fail until a message is a dead letter.

use std::time::Duration;

use serde_json::json;
use spillway_limits::Limits;

use crate::merchant;
use crate::poller;
use crate::template::Template;
use crate::world::World;

/// Minutes that are tried.
const TRIED: Duration = Duration::from_secs(120 * 60);

/// The time from the first failure of a message to its end as a dead letter, for the most impatient queue, while the table
/// refuses everything. At most two hours.
pub fn survived(template: &Template, limits: &Limits) -> Duration {
    let limits = Limits { warm_read_units: 0, warm_write_units: 0, ..limits.clone() };
    let queues = [("ProcessorQueue", "payment"), ("FoldsQueue", "USD"), ("WebhooksQueue", "event")];
    let of_queue = |(queue, sk): (&str, &str)| {
        let world = World::new(template.clone(), limits.clone());
        let merchant = merchant::create(&world, "m", 4);
        let (pk, sk) = match sk {
            "payment" => (format!("{merchant}#test#pay_7ccpzn4gffpza71gj3mr6qsffj"), sk),
            "USD" => (format!("{merchant}#test#balances"), sk),
            _ => (format!("{merchant}#test#events#0"), "evt_7ccpzn4gffpza71gj3mr6qsffj"),
        };
        world.queues.put(queue, &merchant, json!({"pk": pk, "sk": sk}).to_string(), Duration::ZERO);
        world.run(|spawner| {
            poller::start_all(&world, &spawner);
            let world = world.clone();
            async move {
                while world.queues.first_dead(queue).is_none() && world.time.now() < TRIED {
                    world.time.wait(Duration::from_secs(1)).await;
                }
            }
        });
        world.queues.first_dead(queue).unwrap_or(TRIED)
    };
    queues.into_iter().map(of_queue).min().unwrap_or_default()
}
