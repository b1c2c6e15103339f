//! Merchants and what is prepared for them: the state from which a run begins.

use serde_json::{Value, json};
use spillway_domain::id::{EntryId, MerchantId};
use spillway_limits::Call;

use crate::function::at;
use crate::template::TABLE;
use crate::world::World;

/// Items of one BatchWriteItem.
const BATCH: usize = 25;

/// Stores a merchant with this many shards. Returns its id.
pub fn create(world: &World, reference: &str, shards: u16) -> String {
    let id = MerchantId::derive(&["merchant", reference]).to_string();
    let (now, amount) = (at(world.time.now()).to_string(), |amount: u64| json!({"N": amount.to_string()}));
    let text = |value: &str| json!({"S": value});
    let price = json!({"M": {"fee_basis_points": amount(290), "fee_fixed": amount(30)}});
    let count = json!({"M": {"count": amount(shards.into()), "from": text("2026-01-01T00:00:00.000Z")}});
    let item = json!({"pk": text(&id), "sk": text("merchant"), "schema": amount(1), "id": text(&id),
        "reference": text(reference), "fingerprint": text(""), "name": text("A shop"), "plan": text("high"),
        "plan_key": text("k"), "currencies": {"M": {"USD": price}}, "settlement_delay_days": amount(2),
        "shards": {"L": [count]}, "suspended": {"BOOL": false}, "version": amount(1), "request_id": text("r"),
        "created_at": text(&now)});
    put_all(world, &[item]);
    id
}

/// Stores items that are there when the run begins.
pub fn put_all(world: &World, items: &[Value]) {
    for batch in items.chunks(BATCH) {
        let requests: Vec<Value> = batch.iter().map(|item| json!({"PutRequest": {"Item": item}})).collect();
        let body = json!({"RequestItems": {TABLE: requests}});
        world.store.prepare(&Call { operation: "BatchWriteItem".to_owned(), body });
    }
}

/// Stores this many movements of one cent that no balance includes yet, evenly over the shards.
pub fn unfolded_movements(world: &World, merchant: &str, shards: u16, count: u32) {
    let now = at(world.time.now());
    let items = (0..count).map(|number| {
        let shard = u16::try_from(number % u32::from(shards)).unwrap();
        let entry = EntryId::ordered(now.plus_millis(i64::from(number / 100)), shard, &[&number.to_string()]);
        json!({"pk": {"S": format!("{merchant}#test#movements#{shard}")}, "schema": {"N": "1"},
            "sk": {"S": format!("move#USD#2026-02-02#{entry}")}, "amount": {"N": "1"},
            "source": {"S": "pay_7ccpzn4gffpza71gj3mr6qsffj"}, "request_id": {"S": "0b5b7c1e-6f0a-4a55-9d55-6f1a3d1c9e01"}})
    });
    put_all(world, &items.collect::<Vec<_>>());
    world.counter.prepared(count.into());
}
