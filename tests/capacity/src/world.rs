//! Everything that a run has: clock, table, queues, template.

use std::cell::Cell;
use std::rc::Rc;
use std::sync::{Arc, Mutex};

use aws_sdk_dynamodb::config::{Credentials, Region, SharedCredentialsProvider};
use spillway_limits::{Limits, Spawner, Store, VirtualTime};

use crate::counts::Counter;
use crate::queue::Queues;
use crate::stream::Stream;
use crate::template::Template;

/// The queues' logical ids.
pub const QUEUES: [&str; 3] = ["ProcessorQueue", "FoldsQueue", "WebhooksQueue"];

/// A run's surroundings. Clones share them.
#[derive(Clone)]
pub struct World {
    /// The clock.
    pub time: VirtualTime,
    /// The table.
    pub store: Store,
    /// The queues.
    pub queues: Queues,
    /// The settings.
    pub template: Rc<Template>,
    /// The changes that are not dispatched yet.
    pub stream: Stream,
    /// What has happened.
    pub counter: Counter,
    /// The source of random bytes.
    pub random: Arc<Mutex<fastrand::Rng>>,
    numbers: Rc<Cell<u64>>,
}

impl World {
    /// An empty table within these limits, with the template's queues.
    pub fn new(template: Template, limits: Limits) -> World {
        let time = VirtualTime::default();
        let store = Store::new(&template.create_table(), limits, &time, 1);
        let queues = Queues::new(&time);
        QUEUES.iter().for_each(|queue| queues.add(queue, template.queue(queue)));
        let (stream, counter) = (Stream::default(), Counter::default());
        let (of_store, counts, clock) = (stream.clone(), counter.clone(), time.clone());
        store.watch(move |change| {
            counts.add(change, clock.now());
            of_store.add(change);
        });
        let random = Arc::new(Mutex::new(fastrand::Rng::with_seed(1)));
        World { time, store, queues, template: Rc::new(template), stream, counter, random, numbers: Rc::default() }
    }

    /// Runs a future in virtual time.
    pub fn run<T, F: Future<Output = T>>(&self, main: impl FnOnce(Spawner) -> F) -> T {
        self.time.run(main)
    }

    /// A text that no other call of this has returned.
    pub fn unique(&self) -> String {
        self.numbers.set(self.numbers.get() + 1);
        format!("n-{}", self.numbers.get())
    }

    pub(crate) fn region(&self) -> Region {
        Region::new(self.unique())
    }

    pub(crate) fn credentials(&self) -> SharedCredentialsProvider {
        SharedCredentialsProvider::new(Credentials::new("key", "secret", None, None, "capacity"))
    }
}
