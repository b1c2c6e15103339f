//! The store: executes each call on the embedded table, within the limits.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use serde_json::{Value, json};

use crate::call::{Answer, Call, Write, list};
use crate::conflicts::{Claim, Conflicts};
use crate::database::{Change, Database, halves, write_units};
use crate::lag::Lag;
use crate::limits::Limits;
use crate::meter::{Charges, Meter};
use crate::place::{Access, Limit, Place, Refusals, Space};
use crate::time::VirtualTime;

/// The callback that is given each change.
type Watcher = Box<dyn Fn(&Change) + Send>;

/// A table within its limits. Clones share it.
#[derive(Clone)]
pub struct Store {
    time: VirtualTime,
    limits: Limits,
    conflicts: Conflicts,
    state: Arc<Mutex<State>>,
}

struct State {
    database: Database,
    meter: Meter,
    lag: Option<Lag>,
    random: fastrand::Rng,
    watcher: Option<Watcher>,
    calls: u64,
}

impl fmt::Debug for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Store")
    }
}

impl Store {
    /// An empty table, as the request CreateTable describes it, within these limits.
    pub fn new(create: &Value, limits: Limits, time: &VirtualTime, seed: u64) -> Store {
        let lag = (!limits.index_lag.is_zero()).then(|| Lag::new(create, limits.index_lag));
        let (database, meter) = (Database::new(create), Meter::new(limits.clone()));
        let random = fastrand::Rng::with_seed(seed);
        let state = State { database, meter, lag, random, watcher: None, calls: 0 };
        Store { time: time.clone(), limits, conflicts: Conflicts::default(), state: Arc::new(Mutex::new(state)) }
    }

    /// From now on each change of an item is told to `watcher`, in the order of the changes.
    pub fn watch(&self, watcher: impl Fn(&Change) + Send + 'static) {
        self.state().watcher = Some(Box::new(watcher));
    }

    /// How often each limit has refused something since the last call of this.
    pub fn take_refusals(&self) -> Refusals {
        std::mem::take(&mut self.state().meter.refusals)
    }

    /// Calls so far, refused ones included.
    pub fn calls(&self) -> u64 {
        self.state().calls
    }

    /// Half units read so far, in the table and all indexes.
    pub fn read_halves(&self) -> u64 {
        self.used(Access::Read)
    }

    /// Half units written so far, in the table and all indexes.
    pub fn written_halves(&self) -> u64 {
        self.used(Access::Write)
    }

    fn used(&self, access: Access) -> u64 {
        self.state().meter.used.iter().filter(|((_, of), _)| *of == access).map(|(_, halves)| halves).sum()
    }

    /// The number of partitions among which writes of a key are spread.
    pub fn write_partitions(&self, space: &Space, partition: &str) -> usize {
        self.state().meter.partitions(space, Access::Write, partition)
    }

    /// Changes items without limits, time and watcher: the state from which a run begins.
    pub fn prepare(&self, call: &Call) {
        let mut state = self.state();
        let now = self.time.now();
        let befores = state.befores(&call.writes());
        let answer = state.database.execute(call);
        assert!(answer.is_ok(), "{}", answer.body);
        state.changed(call, befores, now, false);
    }

    /// Executes a call, or refuses it at a limit.
    pub async fn call(&self, mut call: Call) -> Answer {
        let writes = call.writes();
        let claim = match self.claim(&call).await {
            Ok(claim) => claim,
            Err(conflict) => {
                self.time.wait(self.latency(&call)).await;
                return conflict;
            }
        };
        self.time.wait(self.latency(&call)).await;
        call.body["ReturnConsumedCapacity"] = json!("INDEXES");
        let mut state = self.state();
        let now = self.time.now();
        let answer = if writes.is_empty() { state.read(&call, now) } else { state.write(&call, &writes, now) };
        drop((state, claim));
        answer
    }

    async fn claim(&self, call: &Call) -> Result<Option<Claim>, Answer> {
        if !self.limits.has_conflicts {
            return Ok(None);
        }
        let (pk, sk) = self.state().database.key.clone();
        self.conflicts.claim(call, (&pk, &sk)).await
    }

    fn latency(&self, call: &Call) -> Duration {
        let latency = &self.limits.latency;
        let least = match call.operation.as_str() {
            _ if call.is_transaction() => latency.transaction,
            "GetItem" | "Query" | "Scan" | "BatchGetItem" => latency.read,
            _ => latency.write,
        };
        let mut state = self.state();
        state.calls += 1;
        least + least * state.random.u32(0..=latency.spread_percent) / 100
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }
}

impl State {
    fn read(&mut self, call: &Call, now: Duration) -> Answer {
        if call.operation == "BatchGetItem" {
            return self.read_batch(call, now);
        }
        let space = call.body["IndexName"].as_str().map_or(Space::Table, |index| Space::Index(index.to_owned()));
        let (partition, sort) = match call.operation.as_str() {
            "Query" => (call.queried(), None),
            _ => self.key_of(&call.body["Key"]),
        };
        let place = Place { space: space.clone(), access: Access::Read, partition, sort };
        if let Err(limit) = self.meter.admit([&place], now) {
            return refused(&limit);
        }
        let answer = match (&space, &mut self.lag) {
            (Space::Index(_), Some(lag)) => lag.shown(now).execute(call),
            _ => self.database.execute(call),
        };
        self.meter.charge(&vec![(place, halves(&consumed(&answer)["CapacityUnits"]))], now);
        answer
    }

    /// Reads the items whose partitions have units. The others are left unprocessed.
    fn read_batch(&mut self, call: &Call, now: Duration) -> Answer {
        let mut call = call.clone();
        let tables: Vec<(String, Value)> =
            call.batch().into_iter().map(|(table, request)| (table.clone(), request.clone())).collect();
        let (mut left, mut places, mut last) = (json!({}), Vec::new(), None);
        for (table, request) in tables {
            let (mut admitted, mut unprocessed) = (Vec::new(), Vec::new());
            for key in list(&request["Keys"]) {
                let (partition, sort) = self.key_of(key);
                let place = Place { space: Space::Table, access: Access::Read, partition, sort };
                match self.meter.admit([&place], now) {
                    Ok(()) => {
                        admitted.push(key.clone());
                        places.push(place);
                    }
                    Err(limit) => {
                        unprocessed.push(key.clone());
                        last = Some(limit);
                    }
                }
            }
            if !unprocessed.is_empty() {
                left[&table] = request.clone();
                left[&table]["Keys"] = json!(unprocessed);
            }
            call.body["RequestItems"][&table]["Keys"] = json!(admitted);
        }
        match last {
            Some(limit) if places.is_empty() => return refused(&limit),
            _ => {}
        }
        let mut answer = self.database.execute(&call);
        let used = halves(&consumed(&answer)["CapacityUnits"]);
        self.meter.charge(&shared(places.into_iter().map(|place| (place, 1)).collect(), used), now);
        answer.body["UnprocessedKeys"] = left;
        answer
    }

    fn write(&mut self, call: &Call, writes: &[Write], now: Duration) -> Answer {
        let befores = self.befores(writes);
        let limits: Vec<Option<Limit>> = writes
            .iter()
            .zip(&befores)
            .map(|(write, change)| self.meter.admit(&self.places_of(write, change), now).err())
            .collect();
        if call.operation == "BatchWriteItem" {
            return self.write_batch(call, &limits, now);
        }
        match limits.iter().flatten().next() {
            None => {}
            Some(_) if call.is_transaction() => {
                let reasons: Vec<_> = limits.iter().map(|limit| limit.as_ref().map(|_| "ThrottlingError")).collect();
                return Answer::canceled(&reasons);
            }
            Some(limit) => return refused(limit),
        }
        self.execute(call, writes, befores, now)
    }

    /// Writes what its partitions have units for. The rest is left unprocessed.
    fn write_batch(&mut self, call: &Call, limits: &[Option<Limit>], now: Duration) -> Answer {
        let mut call = call.clone();
        let tables: Vec<(String, Value)> =
            call.batch().into_iter().map(|(table, requests)| (table.clone(), requests.clone())).collect();
        let mut limits = limits.iter();
        let (mut left, mut some, mut last) = (json!({}), false, None);
        for (table, requests) in tables {
            let (refused, admitted): (Vec<_>, Vec<_>) =
                list(&requests).cloned().zip(limits.by_ref()).partition(|(_, limit)| limit.is_some());
            last = refused.first().and_then(|(_, limit)| (*limit).clone()).or(last);
            some |= !admitted.is_empty();
            let requests = |pairs: Vec<(Value, _)>| pairs.into_iter().map(|(request, _)| request).collect::<Vec<_>>();
            if !refused.is_empty() {
                left[&table] = json!(requests(refused));
            }
            call.body["RequestItems"][&table] = json!(requests(admitted));
        }
        match last {
            Some(limit) if !some => return refused(&limit),
            _ => {}
        }
        let writes = call.writes();
        let befores = self.befores(&writes);
        let mut answer = self.execute(&call, &writes, befores, now);
        answer.body["UnprocessedItems"] = left;
        answer
    }

    fn execute(&mut self, call: &Call, writes: &[Write], befores: Vec<Change>, now: Duration) -> Answer {
        let answer = self.database.execute(call);
        let factor = if call.is_transaction() { 2 } else { 1 };
        if !answer.is_ok() {
            // "If a ConditionExpression evaluates to false during a conditional write, DynamoDB still consumes write
            // capacity", by the item that exists.
            let charges = befores.iter().map(|change| {
                let units = write_units(change.before.as_ref(), None).max(1);
                (table_place(change), 2 * units * factor)
            });
            self.meter.charge(&charges.collect(), now);
            return answer;
        }
        debug_assert_eq!(writes.len(), befores.len());
        let changes = self.changed(call, befores, now, true);
        let used = consumed(&answer);
        let weights = changes
            .iter()
            .map(|change| (table_place(change), write_units(change.before.as_ref(), change.after.as_ref()).max(1)));
        let mut charges = shared(weights.collect(), halves(&used["Table"]["CapacityUnits"]));
        for index in self.database.indexes.keys() {
            let total = halves(&used["GlobalSecondaryIndexes"][index]["CapacityUnits"]);
            if total > 0 {
                let space = Space::Index(index.clone());
                let places = changes.iter().flat_map(|change| self.entries(&space, change));
                charges.extend(shared(places.map(|place| (place, 1)).collect(), total));
            }
        }
        self.meter.charge(&charges, now);
        answer
    }

    /// The items that are about to be written, as they are.
    fn befores(&self, writes: &[Write]) -> Vec<Change> {
        let changes = writes.iter().map(|write| {
            let (partition, sort) = self.key_of(&write.key);
            Change { key: (partition, sort.unwrap_or_default()), before: self.database.item(&write.key), after: None }
        });
        changes.collect()
    }

    /// Adds the items as they are now, and tells what has changed.
    fn changed(&mut self, call: &Call, mut changes: Vec<Change>, now: Duration, is_told: bool) -> Vec<Change> {
        for (change, write) in changes.iter_mut().zip(call.writes()) {
            change.after = self.database.item(&write.key);
        }
        for change in changes.iter().filter(|change| change.before != change.after) {
            if let Some(lag) = &mut self.lag {
                lag.changed(change, is_told.then_some(now));
            }
            if let Some(watcher) = self.watcher.as_ref().filter(|_| is_told) {
                watcher(change);
            }
        }
        changes
    }

    /// The places whose units a write uses, as far as they are known before it: its item, the entries of the item that it
    /// removes or moves, and the entries that a put adds. An entry that an update adds is not known yet; the next write
    /// there pays for it.
    fn places_of(&self, write: &Write, change: &Change) -> Vec<Place> {
        let mut places = vec![table_place(change)];
        for (name, index) in &self.database.indexes {
            let space = Space::Index(name.clone());
            if write.is_put {
                let after = serde_json::from_value(write.key.clone()).ok();
                places.extend(self.entries(&space, &Change { after, ..change.clone() }));
            } else if write.names(&index.key) {
                places.extend(self.entries(&space, change));
            }
        }
        places
    }

    /// The entries of an index that a change writes: the old one and the new one, or none if the index has no part in it.
    fn entries(&self, space: &Space, change: &Change) -> Vec<Place> {
        let Space::Index(name) = space else { return Vec::new() };
        let entry = |item: &Option<dynoxide::Item>| item.as_ref().and_then(|item| self.database.place(space, item));
        let (old, new) = (entry(&change.before), entry(&change.after));
        let entries: Vec<_> = match old == new {
            true if self.database.indexes[name].holds_change(change) => new.into_iter().collect(),
            true => Vec::new(),
            false => old.into_iter().chain(new).collect(),
        };
        let place =
            |(partition, sort)| Place { space: space.clone(), access: Access::Write, partition, sort: Some(sort) };
        entries.into_iter().map(place).collect()
    }

    fn key_of(&self, key: &Value) -> (String, Option<String>) {
        let (pk, sk) = &self.database.key;
        let text = |name: &String| key[name]["S"].as_str().map(str::to_owned);
        (text(pk).unwrap_or_default(), text(sk))
    }
}

fn table_place(change: &Change) -> Place {
    let (partition, sort) = change.key.clone();
    Place { space: Space::Table, access: Access::Write, partition, sort: Some(sort) }
}

/// Shares half units among places by weight. The last place gets the rest.
fn shared(places: Vec<(Place, u64)>, total: u64) -> Charges {
    let (mut left, mut weight_left) = (total, places.iter().map(|(_, weight)| weight).sum::<u64>());
    let mut charges = Charges::new();
    for (place, weight) in places {
        let share = (left * weight).checked_div(weight_left).unwrap_or_default();
        left -= share;
        weight_left -= weight;
        charges.push((place, share));
    }
    charges
}

/// The consumed capacity of the one table.
fn consumed(answer: &Answer) -> &Value {
    let consumed = &answer.body["ConsumedCapacity"];
    if consumed.is_array() { &consumed[0] } else { consumed }
}

fn refused(limit: &Limit) -> Answer {
    let mut answer = Answer::error("ThrottlingException", "Throughput exceeds the current capacity");
    answer.body["throttlingReasons"] = json!([{"reason": limit.reason()}]);
    answer
}
