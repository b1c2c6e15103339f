//! A balance with many movements that no fold has added yet.

use std::time::Duration;

use spillway_limits::Limits;

use crate::function::Function;
use crate::http::{Requests, status};
use crate::merchant;
use crate::template::Template;
use crate::world::World;

/// Status and time of `GET /v1/balance` with this many unfolded movements. Lambda ends it at its time-out, with 504.
pub fn read(template: Template, limits: Limits, shards: u16, movements: u32) -> (u16, Duration) {
    let world = World::new(template, limits);
    let merchant = merchant::create(&world, "m", shards);
    merchant::unfolded_movements(&world, &merchant, shards, movements);
    let event = Requests::like("get-balance/all-currencies.json").of(&merchant, shards);
    let request = spillway_wire::read_request(&event.to_string()).ok().unwrap();
    let function = Function::<get_balance::Parts>::new(&world, "GetBalance");
    let timeout = function.settings.timeout;
    let status = world.run(|_| async {
        let answer = function.invoke(async |context, _| {
            let caller = get_balance::ENDPOINT.authorized(&request, context.now())?;
            get_balance::handle(context, caller, request).await
        });
        status(answer.await)
    });
    let took = world.time.now();
    if took > timeout { (504, timeout) } else { (status, took) }
}
