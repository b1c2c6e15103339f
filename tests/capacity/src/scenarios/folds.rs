//! Folds that work off what has gathered.

use std::time::Duration;

use serde_json::json;
use spillway_limits::Limits;

use crate::merchant;
use crate::poller;
use crate::template::Template;
use crate::world::World;

/// How long nothing is deleted when the folds have ended. The movements of a part's last fold stay until its next fold.
const QUIET: Duration = Duration::from_secs(5);

/// Movements a second that folds of one merchant and currency delete, from the first message until the last deletion.
pub fn per_s(template: Template, limits: Limits, shards: u16, movements: u32) -> u64 {
    let world = World::new(template, limits);
    let merchant = merchant::create(&world, "m", shards);
    merchant::unfolded_movements(&world, &merchant, shards, movements);
    world.run(|spawner| {
        poller::start(&world, &spawner, ("FoldsQueue", "FoldBalance"), fold_balance::handle);
        for part in 0..shards.div_ceil(4) {
            let suffix = if part == 0 { String::new() } else { format!("#{part}") };
            let body = json!({"pk": format!("{merchant}#test#balances{suffix}"), "sk": "USD"}).to_string();
            world.queues.put("FoldsQueue", &merchant, body, Duration::ZERO);
        }
        let world = world.clone();
        async move {
            while world.time.now() < world.counter.now().deleted_at + QUIET {
                world.time.wait(Duration::from_millis(500)).await;
            }
        }
    });
    let counts = world.counter.now();
    counts.deleted * 1_000 / u64::try_from(counts.deleted_at.as_millis()).unwrap().max(1)
}
