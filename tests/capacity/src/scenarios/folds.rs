//! Folds that work off what has gathered.

use std::time::Duration;

use serde_json::json;
use spillway_limits::Limits;

use crate::merchant;
use crate::poller;
use crate::template::Template;
use crate::world::World;

/// Movements a second that folds of one merchant and currency delete, from this many on its shards until four fifths are
/// done. Each part gets the messages of one batch, and its pollers are ramped.
pub fn per_s(template: Template, limits: Limits, shards: u16, movements: u32) -> u64 {
    let world = World::new(template, limits);
    let merchant = merchant::create(&world, "m", shards);
    merchant::unfolded_movements(&world, &merchant, shards, movements);
    let took = world.run(|spawner| {
        poller::start(&world, &spawner, ("FoldsQueue", "FoldBalance"), fold_balance::handle);
        for part in 0..shards.div_ceil(4) {
            let suffix = if part == 0 { String::new() } else { format!("#{part}") };
            let body = json!({"pk": format!("{merchant}#test#balances{suffix}"), "sk": "USD"}).to_string();
            world.queues.put("FoldsQueue", &merchant, body, Duration::ZERO);
        }
        let world = world.clone();
        async move {
            let began = world.time.now();
            while world.counter.now().left() > u64::from(movements / 5) {
                world.time.wait(Duration::from_millis(50)).await;
                if world.time.now() - began > Duration::from_secs(600) {
                    break;
                }
            }
            world.time.now() - began
        }
    });
    let done = u64::from(movements) - world.counter.now().left();
    done * 1000 / u64::try_from(took.as_millis()).unwrap().max(1)
}
