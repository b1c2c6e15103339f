//! The cache as a function uses it: at most one connection, and limits for everything that is waited for. A cache that
//! fails is left alone for some seconds.

use std::future::Future;
use std::io::Result;
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use aws_smithy_async::rt::sleep::{AsyncSleep as _, SharedAsyncSleep};
use futures::future::{Either, select};
use spillway_domain::time::Timestamp;
use spillway_runtime::{Clock, Start};

use super::address::Address;
use super::connection::Connection;

/// The longest time that a request waits for an answer of the cache.
const ANSWER_MAX: Duration = Duration::from_millis(3);
/// The longest time that a request waits until a new value is sent.
const SEND_MAX: Duration = Duration::from_millis(1);
/// The longest time in which a connection is made. No request waits for it.
const CONNECT_MAX: Duration = Duration::from_secs(1);
/// Milliseconds for which a cache that has failed is left alone.
const REST_MS: i64 = 2_000;

/// The cache at one address.
pub(crate) struct Cache {
    address: Address,
    now: Clock,
    sleep: SharedAsyncSleep,
    link: Mutex<Link>,
}

/// The state of the connection.
#[derive(Default)]
struct Link {
    /// The connection while no command is under way.
    connection: Option<Connection>,
    /// Whether a connection is being made.
    connecting: bool,
    /// The time until which a cache that has failed is left alone. None since it has answered.
    rests_until: Option<Timestamp>,
}

impl Cache {
    pub(crate) fn new(address: Address, start: &Start<'_>) -> Arc<Cache> {
        let effects = start.effects;
        Arc::new(Cache { address, now: effects.now.clone(), sleep: effects.sleep.clone(), link: Mutex::default() })
    }

    /// The value of a key. None if the cache has none or does not answer in time. Without a connection this returns at
    /// once and connects in the background, for later requests.
    pub(crate) async fn get(self: &Arc<Cache>, key: &str) -> Option<Vec<u8>> {
        let Some(mut connection) = self.link().connection.take() else {
            self.connect();
            return None;
        };
        match self.within(ANSWER_MAX, connection.get(key)).await {
            Some(value) => {
                *self.link() = Link { connection: Some(connection), ..Link::default() };
                value
            }
            None => None,
        }
    }

    /// Sends a value that the cache may hold for this many seconds, if there is a connection. The kernel takes the bytes,
    /// so this waits only if it can't, and never for a reply: after the answer, Lambda may freeze the environment at any
    /// time.
    pub(crate) async fn put(&self, key: &str, value: &[u8], seconds: u32) {
        let Some(mut connection) = self.link().connection.take() else { return };
        if self.within(SEND_MAX, connection.set(key, value, seconds)).await.is_some() {
            self.link().connection = Some(connection);
        }
    }

    /// Makes a connection in the background, unless one is being made or the cache is left alone.
    fn connect(self: &Arc<Cache>) {
        let mut link = self.link();
        if link.connecting || link.rests_until.is_some_and(|until| (self.now)() < until) {
            return;
        }
        link.connecting = true;
        let cache = self.clone();
        tokio::spawn(async move {
            let mut connected = cache.within(CONNECT_MAX, Connection::open(&cache.address)).await;
            // A cache that is too slow must not get requests.
            if let Some(connection) = &mut connected
                && cache.within(ANSWER_MAX, connection.ping()).await.is_none()
            {
                connected = None;
            }
            let mut link = cache.link();
            link.connecting = false;
            link.connection = connected;
        });
    }

    /// The result of a command. None if it fails or takes longer; then the cache is left alone for a while.
    async fn within<T>(&self, limit: Duration, command: impl Future<Output = Result<T>>) -> Option<T> {
        if let Either::Left((Ok(done), _)) = select(pin!(command), pin!(self.sleep.sleep(limit))).await {
            return Some(done);
        }
        let until = (self.now)().plus_millis(REST_MS);
        // A cache that stays down is logged once by each environment.
        if self.link().rests_until.replace(until).is_none() {
            tracing::warn!(target: "spillway", "the cache does not answer, so all reads go to the table");
        }
        None
    }

    fn link(&self) -> MutexGuard<'_, Link> {
        self.link.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests;
