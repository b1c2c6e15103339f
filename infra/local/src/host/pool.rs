//! The waiting calls and the idle processes of one function.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use axum::body::Bytes;
use tokio::sync::oneshot;

use crate::arn;
use crate::invoke::Outcome;
use crate::template::Function;

/// One invocation.
pub(super) struct Job {
    pub id: String,
    pub payload: Bytes,
    pub reply: oneshot::Sender<Outcome>,
    /// How many processes ended before they received it.
    pub returns: u32,
}

pub(super) struct Pool {
    pub function: Function,
    pub arn: String,
    limit: usize,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// Calls that wait for a process.
    queue: VecDeque<Job>,
    /// Processes that wait for a call. The last one in is the first one out, so that the others reach the idle limit.
    idle: Vec<oneshot::Sender<Job>>,
    /// Living processes, including those that are starting.
    alive: usize,
    /// Processes that have not asked for their first event yet.
    starting: usize,
}

/// The next step of a free process.
pub(super) enum Next {
    Work(Job),
    Wait(oneshot::Receiver<Job>),
}

/// The consequences of the end of a process.
#[derive(Default)]
pub(super) struct Ended {
    /// Calls that must fail.
    pub failed: Vec<Job>,
    /// Whether a new process must be started.
    pub start: bool,
}

impl Pool {
    pub fn new(function: Function, region: &str, limit: usize) -> Self {
        Self { arn: arn::function(region, &function.function_name), limit, state: Mutex::default(), function }
    }

    /// Gives the call to an idle process or lets it wait, in front of the others if it has waited before. True if a
    /// process must be started.
    #[must_use]
    pub fn submit(&self, job: Job) -> bool {
        let mut state = self.state();
        match state.hand_over(job) {
            Some(job) if job.returns > 0 => state.queue.push_front(job),
            Some(job) => state.queue.push_back(job),
            None => return false,
        }
        state.must_start(self.limit)
    }

    /// Counts a process that is started before there is a call for it.
    pub fn prepare(&self) {
        let mut state = self.state();
        state.alive += 1;
        state.starting += 1;
    }

    /// A process has asked for its first event.
    pub fn started(&self) {
        self.state().starting -= 1;
    }

    /// A process is free.
    pub fn next(&self) -> Next {
        let mut state = self.state();
        if let Some(job) = state.queue.pop_front() {
            return Next::Work(job);
        }
        let (sender, receiver) = oneshot::channel();
        state.idle.retain(|idle| !idle.is_closed());
        state.idle.push(sender);
        Next::Wait(receiver)
    }

    /// A process has ended. If it never asked for an event, another start would fail too: the waiting calls fail.
    #[must_use]
    pub fn ended(&self, had_started: bool) -> Ended {
        let mut state = self.state();
        state.alive -= 1;
        if had_started {
            return Ended { failed: Vec::new(), start: state.must_start(self.limit) };
        }
        state.starting -= 1;
        let hopeless = state.alive == 0;
        Ended { failed: if hopeless { state.queue.drain(..).collect() } else { Vec::new() }, start: false }
    }

    #[cfg(test)]
    pub fn has_idle(&self) -> bool {
        !self.state().idle.is_empty()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Gives the call to an idle process. Returns the call if no process is idle.
    fn hand_over(&mut self, mut job: Job) -> Option<Job> {
        while let Some(idle) = self.idle.pop() {
            match idle.send(job) {
                Ok(()) => return None,
                // The process has just been stopped.
                Err(back) => job = back,
            }
        }
        Some(job)
    }

    fn must_start(&mut self, limit: usize) -> bool {
        let start = self.starting < self.queue.len() && self.alive < limit;
        if start {
            self.alive += 1;
            self.starting += 1;
        }
        start
    }
}
