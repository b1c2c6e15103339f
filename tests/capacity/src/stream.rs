//! The table's stream with its trigger: dispatch-changes gets the changes of each shard in order, one batch at a time.

use std::collections::VecDeque;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::rc::Rc;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::{Value, json};
use spillway_limits::{Change, Spawner};
use spillway_store::{TableKey, WAKE, brings_message};
use spillway_work::ChangesEvent;

use crate::function::Function;
use crate::world::World;

/// Shards of the stream. A table has at least one for each of its partitions.
const SHARDS: usize = 40;
/// "Lambda polls shards in your DynamoDB stream for records at a base rate of 4 times per second":
/// <https://docs.aws.amazon.com/lambda/latest/dg/with-ddb.html>
const POLL: Duration = Duration::from_millis(250);

/// Changes that the trigger's filters pass and that are not dispatched yet.
#[derive(Clone)]
pub struct Stream(Arc<Mutex<Vec<VecDeque<Value>>>>);

impl Default for Stream {
    fn default() -> Stream {
        Stream(Arc::new(Mutex::new(vec![VecDeque::new(); SHARDS])))
    }
}

impl Stream {
    /// Adds a change, if a filter passes it.
    pub fn add(&self, change: &Change) {
        let key = TableKey { pk: change.key.0.clone(), sk: change.key.1.clone() };
        let image = |item: &Option<spillway_limits::Item>| {
            item.as_ref().and_then(|item| item.get(WAKE)).map_or(json!({}), |wake| json!({WAKE: wake}))
        };
        let (old, new) = (image(&change.before), image(&change.after));
        let name = if change.before.is_none() { "INSERT" } else { "MODIFY" };
        if change.after.is_none() || !brings_message(&key, name == "INSERT", old != new) {
            return;
        }
        let mut hasher = DefaultHasher::new();
        key.pk.hash(&mut hasher);
        let shard = usize::try_from(hasher.finish() % u64::try_from(SHARDS).unwrap()).unwrap();
        let record = json!({"eventName": name, "dynamodb": {"SequenceNumber": "1", "OldImage": old, "NewImage": new,
            "Keys": {"pk": {"S": key.pk}, "sk": {"S": key.sk}}}});
        self.0.lock().unwrap()[shard].push_back(record);
    }

    fn take(&self, shard: usize, max: usize) -> Vec<Value> {
        let records = &mut self.0.lock().unwrap()[shard];
        let count = max.min(records.len());
        records.drain(..count).collect()
    }
}

/// Dispatches changes until the run ends.
pub fn start(world: &World, spawner: &Spawner) {
    let function = Rc::new(Function::<dispatch_changes::Parts>::new(world, "DispatchChanges"));
    for shard in 0..SHARDS {
        let (world, function) = (world.clone(), Rc::clone(&function));
        spawner.spawn(async move {
            loop {
                let records = world.stream.take(shard, function.settings.batch_size);
                if records.is_empty() {
                    world.time.wait(POLL).await;
                    continue;
                }
                let event: ChangesEvent = serde_json::from_value(json!({"Records": records})).unwrap();
                let changes = event.changes();
                let dispatched = function.invoke(|context, _| dispatch_changes::handle(context, changes)).await;
                dispatched.unwrap_or_else(|(_, error)| panic!("the queues of a run take every message: {error}"));
            }
        });
    }
}
