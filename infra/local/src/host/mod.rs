//! Stands in for Lambda: runs the functions' own binaries through the Runtime API. Each process handles one invocation
//! at a time.

mod cpu_share;
mod pool;
mod process;
mod runtime_api;
mod single;
#[cfg(test)]
mod tests;
mod worker;

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::body::Bytes;
use futures::FutureExt;
use futures::future::BoxFuture;
use tokio::sync::{mpsc, oneshot, watch};
use uuid::Uuid;

use crate::invoke::{InvokeError, Outcome, Run};
use crate::log::Log;
use crate::template::Template;

pub use cpu_share::CpuShares;
use pool::{Job, Pool};
pub use process::{Command, environment};
pub(crate) use runtime_api::handled;
pub use runtime_api::routes;
pub use single::Single;
use worker::{Message, Worker};

/// Lambda's limit for a payload and for an answer, in bytes.
pub const PAYLOAD_LIMIT: usize = 6 * 1024 * 1024;

/// Processes of one function. Further calls wait for one of them.
const PROCESSES_MAX: usize = 16;
/// An idle process is stopped after this time.
const IDLE_LIMIT: Duration = Duration::from_secs(60);
/// A process must ask for its first event within this time.
const START_LIMIT: Duration = Duration::from_secs(30);

/// The host of all functions. Cheap to clone.
#[derive(Clone)]
pub struct Host(Arc<Inner>);

struct Inner {
    pools: HashMap<String, Arc<Pool>>,
    /// How a function's process is started.
    command: Command,
    log: Log,
    limits: Limits,
    /// Processes by the token in their Runtime API's path.
    workers: Mutex<HashMap<String, mpsc::Sender<Message>>>,
    /// Increased when the binaries are replaced. Processes of an older generation are stopped.
    generation: watch::Sender<u64>,
    /// True when the runner ends.
    closing: watch::Sender<bool>,
}

/// A process that asks for its first event, or why it does not.
type Started = Result<Ready, String>;

/// A process that asks for its first event.
struct Ready {
    pid: u32,
    /// The time since before it was started.
    after: Duration,
}

/// The limits of the host, for tests to shorten.
#[derive(Clone, Copy)]
struct Limits {
    processes: usize,
    idle: Duration,
    start: Duration,
    /// Whether processes are killed at random between two calls.
    kills: bool,
    /// Holds each process to the CPU share of its function's memory. None: a process may use all that there is.
    cpu_shares: Option<CpuShares>,
}

/// What a run does to the processes besides calling them.
#[derive(Clone, Copy, Debug, Default)]
pub struct Treatment {
    /// Processes are killed at random between two calls, for tests of functions that must not depend on their memory.
    pub kills: bool,
    /// Each process gets the CPU share of its function's memory.
    pub cpu_shares: Option<CpuShares>,
}

impl Host {
    /// A host for the functions of `template`, whose binaries are in `folder`. Their Runtime API is at `address`, as
    /// `127.0.0.1:9000`.
    pub fn new(
        template: &Template, region: &str, folder: PathBuf, address: &str, shared: Vec<(String, String)>,
        treatment: Treatment, log: Log,
    ) -> Self {
        let command = process::command(folder, address.to_owned(), region.to_owned(), shared);
        let Treatment { kills, cpu_shares } = treatment;
        let limits = Limits { processes: PROCESSES_MAX, idle: IDLE_LIMIT, start: START_LIMIT, kills, cpu_shares };
        Self::with(template, region, command, limits, log)
    }

    fn with(template: &Template, region: &str, command: Command, limits: Limits, log: Log) -> Self {
        let pools = template.functions.iter().map(|function| {
            let pool = Pool::new(function.clone(), region, limits.processes);
            (function.name.clone(), Arc::new(pool))
        });
        Self(Arc::new(Inner {
            pools: pools.collect(),
            command,
            log,
            limits,
            workers: Mutex::default(),
            generation: watch::Sender::new(0),
            closing: watch::Sender::new(false),
        }))
    }

    /// Ends every process after its current call, so that the next calls start the new binaries.
    pub fn replace(&self) {
        self.0.generation.send_modify(|generation| *generation += 1);
    }

    /// Ends every process now and waits until all are gone.
    pub async fn close(&self) {
        self.0.closing.send_replace(true);
        self.0.closing.closed().await;
    }

    async fn call(&self, function: &str, payload: Vec<u8>) -> Outcome {
        let unknown = || InvokeError::Unknown(function.to_owned());
        let pool = self.0.pools.get(function).ok_or_else(unknown)?;
        if payload.len() > PAYLOAD_LIMIT {
            return Err(InvokeError::TooLarge);
        }
        let ending = || InvokeError::Crashed("the runner is ending".to_owned());
        if *self.0.closing.borrow() {
            return Err(ending());
        }
        let (reply, answer) = oneshot::channel();
        let job = Job { id: Uuid::new_v4().to_string(), payload: Bytes::from(payload), reply, returns: 0 };
        if pool.submit(job) {
            self.start(pool, None);
        }
        answer.await.unwrap_or_else(|_| Err(ending()))
    }

    /// Starts a process of `function` without a call and waits until it asks for its first event.
    async fn prepare(&self, function: &str) -> Started {
        let pool = self.0.pools.get(function).ok_or_else(|| InvokeError::Unknown(function.to_owned()).to_string())?;
        pool.prepare();
        let (tell, started) = oneshot::channel();
        self.start(pool, Some(tell));
        // The process was stopped before.
        started.await.unwrap_or_else(|_| Err("the host has ended".to_owned()))
    }

    /// Starts one more process of a function. The pool has counted it already. Reports to `tell` whether the process asks
    /// for its first event.
    fn start(&self, pool: &Arc<Pool>, tell: Option<oneshot::Sender<Started>>) {
        let token = Uuid::new_v4().simple().to_string();
        let (sender, inbox) = mpsc::channel(4);
        self.workers().insert(token.clone(), sender);
        let generation = self.0.generation.subscribe();
        let born = *generation.borrow();
        let worker = Worker {
            host: self.clone(),
            pool: Arc::clone(pool),
            token,
            inbox,
            tell,
            generation,
            born,
            closing: self.0.closing.subscribe(),
        };
        tokio::spawn(worker.run());
    }

    fn worker(&self, token: &str) -> Option<mpsc::Sender<Message>> {
        self.workers().get(token).cloned()
    }

    fn workers(&self) -> MutexGuard<'_, HashMap<String, mpsc::Sender<Message>>> {
        let lock = self.0.workers.lock();
        lock.unwrap_or_else(PoisonError::into_inner)
    }
}

impl Run for Host {
    fn run(&self, function: String, payload: Vec<u8>) -> BoxFuture<'static, Outcome> {
        let host = self.clone();
        async move { host.call(&function, payload).await }.boxed()
    }

    fn at_once(&self) -> usize {
        self.0.limits.processes
    }
}
