//! A page of payments with a rare status.

use serde_json::{Value, json};
use spillway_limits::Limits;
use spillway_store::StoreOnly;

use crate::function::{Function, at};
use crate::http::{Requests, status};
use crate::merchant;
use crate::template::Template;
use crate::world::World;

/// Payments that are listed, each of almost 4 KB.
const PAYMENTS: u32 = 1_200;
/// Half units of the most that a page of one limit may read.
const LIMITS: [u32; 3] = [1, 10, 100];

/// Read units, times two, of the dearest page of failed payments among many that have succeeded.
pub fn dearest_page_halves(template: Template, limits: Limits) -> u64 {
    let world = World::new(template, limits);
    let merchant = merchant::create(&world, "m", 4);
    let items: Vec<Value> = (0..PAYMENTS).map(|number| payment(&world, &merchant, number)).collect();
    merchant::put_all(&world, &items);
    let function = Function::<StoreOnly>::new(&world, "ListPayments");
    let page = |limit: u32| {
        let mut event = Requests::like("list-payments/first-page.json").of(&merchant, 4);
        event["queryStringParameters"] = json!({"status": "failed", "limit": limit.to_string()});
        event["multiValueQueryStringParameters"] = json!({"status": ["failed"], "limit": [limit.to_string()]});
        let request = spillway_wire::read_request(&event.to_string()).ok().unwrap();
        let before = world.store.read_halves();
        let status = world.run(|_| async {
            let answer = function.invoke(async |context, _| {
                let caller = list_payments::ENDPOINT.authorized(&request, context.now())?;
                let query = spillway_wire::Parameters::of(&request);
                list_payments::handle(context, caller, request, query).await
            });
            status(answer.await)
        });
        assert_eq!(status, 200, "the page of {limit}");
        world.store.read_halves() - before
    };
    LIMITS.into_iter().map(page).max().unwrap_or_default()
}

fn payment(world: &World, merchant: &str, number: u32) -> Value {
    let now = at(world.time.now()).plus_millis(-60_000 - i64::from(number) * 1_000).to_string();
    let id = spillway_domain::id::PaymentId::derive(&[&number.to_string()]).to_string();
    let (text, amount) = (|value: &str| json!({"S": value}), |value: u32| json!({"N": value.to_string()}));
    json!({"pk": text(&format!("{merchant}#test#{id}")), "sk": text("payment"), "schema": amount(1),
        "listing": text(&format!("{merchant}#test#payments#{}", number % 4)), "listing_at": text(&format!("{now}#{id}")),
        "id": text(&id), "owner": text(&format!("{merchant}#test")), "status": text("succeeded"),
        "description": text(&"x".repeat(3_600))})
}
