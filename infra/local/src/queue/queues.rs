//! All queues of the template, for the rest of the runner.

use std::path::Path;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::Instant;
use uuid::Uuid;

use super::errors::QueueError;
use super::message::{Message, NewMessage};
use super::receipt::Receipt;
use super::store::{Copy, Counts, NotHidden, Received, Store};
use crate::arn;
use crate::clock::Clock;
use crate::template;

/// How often messages past their retention are deleted.
const EXPIRE_EVERY_MS: i64 = 60_000;

/// All queues of the template. Cheap to clone.
#[derive(Clone)]
pub struct Queues(Arc<Inner>);

struct Inner {
    queues: Vec<Queue>,
    store: Mutex<Store>,
    clock: Clock,
    region: String,
    disorder: bool,
}

/// One queue: its settings and its waiting receivers.
pub(super) struct Queue {
    pub settings: template::Queue,
    pub arn: String,
    /// The dead-letter queue's name, and the receives after which a message goes there.
    pub redrive: Option<(String, i64)>,
    wake: Notify,
    expired_at: AtomicI64,
}

/// The parameters of a receive call.
#[derive(Clone, Copy, Debug)]
pub struct Receive {
    /// Messages at most, from 1 to 10.
    pub limit: usize,
    /// The visibility timeout. `None`: the queue's own.
    pub visibility: Option<Duration>,
    /// How long to wait for a first message.
    pub wait: Duration,
}

impl Queues {
    /// Opens or creates the file at `path` for these queues. Messages of other queues are deleted, as CloudFormation
    /// deletes a queue that is no longer in its template. With `disorder` every message is delivered twice and in
    /// random order, which a standard queue may do.
    pub fn open(
        path: &Path, region: &str, queues: &[template::Queue], clock: Clock, disorder: bool,
    ) -> Result<Self, QueueError> {
        let queues =
            queues.iter().map(|settings| Queue::new(settings, region, queues)).collect::<Result<Vec<_>, _>>()?;
        let store = Store::open(path)?;
        let names: Vec<&str> = queues.iter().map(|q| q.settings.name.as_str()).collect();
        store.keep_only(&names)?;
        // The receivers ended with the runner before, so their messages become visible.
        store.return_all(clock())?;
        Ok(Self(Arc::new(Inner { queues, store: Mutex::new(store), clock, region: region.to_owned(), disorder })))
    }

    pub fn arn(&self, name: &str) -> String {
        arn::queue(&self.0.region, name)
    }

    pub fn region(&self) -> &str {
        &self.0.region
    }

    /// The name of the queue that the template calls `logical_id`.
    pub fn name_of(&self, logical_id: &str) -> Result<&str, QueueError> {
        let queue = self.all().iter().find(|queue| queue.settings.logical_id == logical_id);
        queue.map(|queue| queue.settings.name.as_str()).ok_or_else(|| QueueError::NoQueue(logical_id.to_owned()))
    }

    /// Stores all `messages` or none. Returns their ids.
    pub fn send(&self, queue: &str, messages: &[NewMessage]) -> Result<Vec<String>, QueueError> {
        let queue = self.queue(queue)?;
        let now = self.now();
        let ids: Vec<String> = messages.iter().map(|_| Uuid::new_v4().to_string()).collect();
        let mut copies = Vec::with_capacity(messages.len());
        for (message, message_id) in messages.iter().zip(&ids) {
            let delay_ms = message.delay_s.map_or_else(|| ms(queue.settings.delay), |seconds| seconds * 1000);
            for lag_ms in self.lags_ms() {
                copies.push(Copy { message_id, message, visible_at: now + delay_ms + lag_ms });
            }
        }
        self.store().send(&queue.settings.name, &copies, now)?;
        queue.wake.notify_waiters();
        Ok(ids)
    }

    /// Receives messages. Waits for the first one.
    pub async fn receive(&self, queue: &str, ask: Receive) -> Result<Vec<Message>, QueueError> {
        Ok(self.receive_and_redrive(queue, ask).await?.messages)
    }

    /// As [`Self::receive`], but also returns when messages went to the dead-letter queue.
    pub(super) async fn receive_and_redrive(&self, queue: &str, ask: Receive) -> Result<Received, QueueError> {
        let queue = self.queue(queue)?;
        let deadline = Instant::now() + ask.wait;
        loop {
            let woken = queue.wake.notified();
            tokio::pin!(woken);
            // Registered before the query below, so that a message sent after it wakes this call.
            woken.as_mut().enable();
            let (received, next_visible) = self.receive_now(queue, ask)?;
            if !received.messages.is_empty() || !received.given_up.is_empty() {
                return Ok(received);
            }
            let now = Instant::now();
            if now >= deadline {
                return Ok(received);
            }
            let until = next_visible.map_or(deadline, |wait| deadline.min(now + wait));
            tokio::select! {
                () = woken => {}
                () = tokio::time::sleep_until(until) => {}
            }
        }
    }

    /// Deletes the messages of the handles. A handle that is not the message's newest deletes nothing. Unknown handles
    /// are ignored.
    pub fn delete(&self, queue: &str, handles: &[&str]) -> Result<(), QueueError> {
        let receipts: Vec<Receipt> = handles.iter().filter_map(|handle| Receipt::parse(handle, queue)).collect();
        self.store().delete(queue, &receipts)
    }

    /// Counts the queue's messages, exactly.
    pub fn counts(&self, queue: &str) -> Result<Counts, QueueError> {
        let queue = self.queue(queue)?;
        let now = self.now();
        let mut store = self.store();
        queue.expire(&mut store, now)?;
        store.counts(&queue.settings.name, now)
    }

    /// The logical id and the name of each queue.
    pub fn names(&self) -> impl Iterator<Item = (&str, &str)> {
        self.all().iter().map(|queue| (queue.settings.logical_id.as_str(), queue.settings.name.as_str()))
    }

    /// The time since the oldest message of the queue was sent. 0 if the queue is empty.
    pub fn oldest_age(&self, queue: &str) -> Result<Duration, QueueError> {
        let sent_at = self.store().oldest_sent_at(&self.queue(queue)?.settings.name)?;
        let age = sent_at.map_or(0, |at| u64::try_from(self.now() - at).unwrap_or_default());
        Ok(Duration::from_millis(age))
    }

    pub(super) fn hide(
        &self, queue: &Queue, receipt: Receipt, visibility: Duration,
    ) -> Result<Result<(), NotHidden>, QueueError> {
        let now = self.now();
        let name = &queue.settings.name;
        let hidden = self.store().hide_until(name, receipt, now + ms(visibility), now)?;
        queue.wake.notify_waiters();
        Ok(hidden)
    }

    pub(super) fn all(&self) -> &[Queue] {
        &self.0.queues
    }

    pub(super) fn queue(&self, name: &str) -> Result<&Queue, QueueError> {
        let queue = self.all().iter().find(|queue| queue.settings.name == name);
        queue.ok_or_else(|| QueueError::NoQueue(name.to_owned()))
    }

    pub(super) fn store(&self) -> MutexGuard<'_, Store> {
        self.0.store.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn now(&self) -> i64 {
        (self.0.clock)()
    }

    pub(super) fn wake(&self, queue: &str) {
        if let Ok(queue) = self.queue(queue) {
            queue.wake.notify_waiters();
        }
    }

    fn receive_now(&self, queue: &Queue, ask: Receive) -> Result<(Received, Option<Duration>), QueueError> {
        let now = self.now();
        let name = &queue.settings.name;
        let mut store = self.store();
        queue.expire(&mut store, now)?;
        let received = store.receive(queue, ask, self.0.disorder, now)?;
        let next_visible = store.next_visible_at(name)?;
        drop(store);
        if let (false, Some((dead_letters, _))) = (received.given_up.is_empty(), &queue.redrive) {
            self.wake(dead_letters);
        }
        let next_visible = next_visible.and_then(|at| u64::try_from(at - now).ok()).map(Duration::from_millis);
        Ok((received, next_visible))
    }

    /// The additional delay of each copy of a message.
    fn lags_ms(&self) -> Vec<i64> {
        if self.0.disorder { vec![fastrand::i64(0..100), fastrand::i64(0..500)] } else { vec![0] }
    }
}

impl Queue {
    fn new(settings: &template::Queue, region: &str, all: &[template::Queue]) -> Result<Self, QueueError> {
        let redrive = settings.redrive.as_ref().map(|redrive| {
            all.iter()
                .find(|queue| queue.logical_id == redrive.dead_letter)
                .map(|queue| (queue.name.clone(), i64::from(redrive.max_receive_count)))
                .ok_or_else(|| QueueError::NoQueue(redrive.dead_letter.clone()))
        });
        Ok(Self {
            settings: settings.clone(),
            arn: arn::queue(region, &settings.name),
            redrive: redrive.transpose()?,
            wake: Notify::new(),
            expired_at: AtomicI64::new(i64::MIN),
        })
    }

    /// Deletes messages past their retention, unless that was done a moment ago.
    fn expire(&self, store: &mut Store, now: i64) -> Result<(), QueueError> {
        let last = self.expired_at.load(Ordering::Relaxed);
        if last.saturating_add(EXPIRE_EVERY_MS) > now {
            return Ok(());
        }
        self.expired_at.store(now, Ordering::Relaxed);
        store.expire(&self.settings.name, now - ms(self.settings.retention))
    }
}

pub(super) fn ms(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}
