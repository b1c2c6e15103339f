//! One process from its start to its end.

use std::process::ExitStatus;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use axum::body::Bytes;
use tokio::process::Child;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::timeout;

use super::cpu_share::CpuShare;
use super::pool::{Job, Next, Pool};
use super::process::Output;
use super::{Host, Ready, Started, process};
use crate::invoke::{InvokeError, Outcome};

/// How long the runner waits for the end of a process and for its last output.
const LAST_WORDS: Duration = Duration::from_millis(200);

/// How often a call may go to another process, because the one before ended without receiving it.
const RETURNS_MAX: u32 = 5;

/// With `KILL_FUNCTIONS`, a process is killed after one of this many answers on average.
const KILLED_ONE_IN: u32 = 4;

/// A call of the Runtime API.
pub(super) enum Message {
    /// The process asks for an event.
    Next(oneshot::Sender<Delivery>),
    /// The process reports the end of an invocation.
    Answer {
        id: String,
        outcome: Outcome,
        /// Receives whether `id` is the process's current invocation.
        known: oneshot::Sender<bool>,
    },
    /// The process could not start.
    InitError(String),
}

/// An event on its way to a process.
pub(super) struct Delivery {
    pub id: String,
    pub payload: Bytes,
    /// Milliseconds since 1970.
    pub deadline_ms: u128,
    pub arn: String,
}

pub(super) struct Worker {
    pub host: Host,
    pub pool: Arc<Pool>,
    pub token: String,
    pub inbox: mpsc::Receiver<Message>,
    /// Receives the process's id when it is ready, or the error if it fails to start.
    pub tell: Option<oneshot::Sender<Started>>,
    /// The current generation of the binaries. `born` is the generation of this process.
    pub generation: watch::Receiver<u64>,
    pub born: u64,
    pub closing: watch::Receiver<bool>,
}

/// Why a process gets no more calls.
enum End {
    /// The process was idle for too long or is replaced, `KILL_FUNCTIONS` kills it, or the runner ends.
    Stopped,
    /// The process ended by itself, or broke the Runtime API's protocol.
    Failed(String),
}

impl Worker {
    pub async fn run(mut self) {
        let command = (self.host.0.command)(&self.pool.function, &self.token);
        let log = self.host.0.log.clone();
        let name = self.pool.function.name.clone();
        let mut started = false;
        let began = Instant::now();
        let end = match process::spawn(command, &name, &log) {
            Ok((mut child, output)) => {
                let _share = self.cpu_share(&child);
                let end = self.live(&mut child, &output, began, &mut started).await;
                let _ = child.kill().await;
                end
            }
            Err(error) => End::Failed(format!("{name} cannot be started: {error}")),
        };
        self.host.workers().remove(&self.token);
        let ended = self.pool.ended(started);
        if let End::Failed(why) = end {
            if let Some(tell) = self.tell.take() {
                let _ = tell.send(Err(why.clone()));
            }
            let closing = *self.closing.borrow();
            if !closing {
                log.warning(&name, &why);
            }
            for job in ended.failed {
                let _ = job.reply.send(Err(InvokeError::Crashed(why.clone())));
            }
        }
        if ended.start {
            self.host.start(&self.pool, None);
        }
    }

    /// Limits the process to its CPU share, if the runner was started with that option. If the limit can't be set, the
    /// process runs without it, and a line of the log warns.
    fn cpu_share(&self, child: &Child) -> Option<CpuShare> {
        let (shares, pid) = (self.host.0.limits.cpu_shares?, child.id()?);
        let function = &self.pool.function;
        let held = shares.hold(pid, function.memory);
        held.map_err(|error| self.host.0.log.warning(&function.name, &format!("its CPU share can't be set: {error}")))
            .ok()
    }

    async fn live(&mut self, child: &mut Child, output: &Output, began: Instant, started: &mut bool) -> End {
        let start_limit = self.host.0.limits.start;
        let first = timeout(start_limit, self.asked(child, output)).await;
        let late = |_| {
            let waited = start_limit.as_secs();
            Err(End::Failed(format!("it did not ask for an event within {waited} seconds")))
        };
        let mut ready = match first.unwrap_or_else(late) {
            Ok(ready) => ready,
            Err(end) => return end,
        };
        *started = true;
        let after = began.elapsed();
        if let (Some(tell), Some(pid)) = (self.tell.take(), child.id()) {
            let _ = tell.send(Ok(Ready { pid, after }));
        }
        self.pool.started();
        loop {
            // A call must not go to a process that has ended, or to old code.
            if let Ok(Some(status)) = child.try_wait() {
                return End::Failed(output.exit(Ok(status)).await);
            }
            if self.is_replaced() {
                return End::Stopped;
            }
            let job = match self.pool.next() {
                Next::Work(job) => job,
                Next::Wait(receiver) => match self.idle(child, output, receiver, &mut ready).await {
                    Ok(job) => job,
                    Err(end) => return end,
                },
            };
            ready = match self.work(child, output, job, ready).await {
                Ok(ready) => ready,
                Err(end) => return end,
            };
        }
    }

    fn is_replaced(&self) -> bool {
        *self.generation.borrow() != self.born
    }

    /// Waits until the process asks for an event.
    async fn asked(&mut self, child: &mut Child, output: &Output) -> Result<oneshot::Sender<Delivery>, End> {
        loop {
            tokio::select! {
                biased;
                message = self.inbox.recv() => match message {
                    Some(Message::Next(ready)) => return Ok(ready),
                    Some(Message::InitError(why)) => return Err(End::Failed(why)),
                    Some(Message::Answer { known, .. }) => drop(known.send(false)),
                    None => return Err(End::Stopped),
                },
                status = child.wait() => return Err(End::Failed(output.exit(status).await)),
                () = closed(&mut self.closing) => return Err(End::Stopped),
            }
        }
    }

    /// Waits for a call. A call that arrives while the process ends goes back to the pool.
    async fn idle(
        &mut self, child: &mut Child, output: &Output, mut receiver: oneshot::Receiver<Job>,
        ready: &mut oneshot::Sender<Delivery>,
    ) -> Result<Job, End> {
        let (born, idle) = (self.born, self.host.0.limits.idle);
        let end = tokio::select! {
            biased;
            status = child.wait() => {
                receiver.close();
                End::Failed(output.exit(status).await)
            }
            () = ready.closed() => {
                receiver.close();
                End::Failed(hung_up(child, output).await)
            }
            () = replaced(&mut self.generation, born) => End::Stopped,
            () = closed(&mut self.closing) => End::Stopped,
            job = &mut receiver => return job.map_err(|_| End::Stopped),
            () = tokio::time::sleep(idle) => End::Stopped,
        };
        receiver.close();
        if let Ok(job) = receiver.try_recv() {
            self.give_back(job);
        }
        Err(end)
    }

    /// Returns a call that this process never received, so that another process gets it.
    fn give_back(&self, mut job: Job) {
        job.returns += 1;
        if *self.closing.borrow() {
            // Dropping the call tells its caller that the runner ends.
            drop(job);
        } else if job.returns > RETURNS_MAX {
            let why = "no process took the call".to_owned();
            let _ = job.reply.send(Err(InvokeError::Crashed(why)));
        } else if self.pool.submit(job) {
            self.host.start(&self.pool, None);
        }
    }

    /// Gives one call to the process and waits for its answer and its next request.
    async fn work(
        &mut self, child: &mut Child, output: &Output, job: Job, ready: oneshot::Sender<Delivery>,
    ) -> Result<oneshot::Sender<Delivery>, End> {
        let limit = self.pool.function.timeout;
        let since = SystemTime::now().duration_since(UNIX_EPOCH);
        let delivery = Delivery {
            id: job.id.clone(),
            payload: job.payload.clone(),
            deadline_ms: (since.unwrap_or_default() + limit).as_millis(),
            arn: self.pool.arn.clone(),
        };
        if ready.send(delivery).is_err() {
            self.give_back(job);
            return Err(End::Failed(hung_up(child, output).await));
        }
        let answer = timeout(limit, self.answer(child, output, &job.id)).await;
        let answer = answer.unwrap_or(Err(InvokeError::TimedOut(limit.as_secs())));
        let outcome = match answer {
            Ok(outcome) => outcome,
            Err(error) => {
                let why = error.to_string();
                let _ = job.reply.send(Err(error));
                return Err(End::Failed(why));
            }
        };
        let _ = job.reply.send(outcome);
        if self.host.0.limits.kills && fastrand::u32(..KILLED_ONE_IN) == 0 {
            return Err(End::Stopped);
        }
        let late = |_| {
            let waited = limit.as_secs();
            Err(End::Failed(format!("it did not ask for its next event within {waited} seconds")))
        };
        timeout(limit, self.asked(child, output)).await.unwrap_or_else(late)
    }

    /// Waits for the outcome of the invocation `id`. Errors if the process ends first.
    async fn answer(&mut self, child: &mut Child, output: &Output, id: &str) -> Result<Outcome, InvokeError> {
        let ending = || InvokeError::Crashed("the runner is ending".to_owned());
        loop {
            tokio::select! {
                biased;
                message = self.inbox.recv() => match message {
                    Some(message) => if let Some(answer) = read(message, id) {
                        return answer;
                    },
                    None => return Err(ending()),
                },
                status = child.wait() => {
                    let why = output.exit(status).await;
                    // Its last message may still be in the channel.
                    while let Ok(message) = self.inbox.try_recv() {
                        if let Some(Ok(outcome)) = read(message, id) {
                            return Ok(outcome);
                        }
                    }
                    return Err(InvokeError::Crashed(why));
                }
                () = closed(&mut self.closing) => return Err(ending()),
            }
        }
    }
}

/// The outcome of the invocation `id`, as the message reports it. None if the message reports another invocation.
fn read(message: Message, id: &str) -> Option<Result<Outcome, InvokeError>> {
    match message {
        Message::Answer { id: answered, outcome, known } => {
            let own = answered == id;
            let _ = known.send(own);
            own.then_some(Ok(outcome))
        }
        Message::InitError(why) => Some(Err(InvokeError::Crashed(why))),
        Message::Next(_) => {
            let why = "it asked for an event before it had answered".to_owned();
            Some(Err(InvokeError::Crashed(why)))
        }
    }
}

/// The error for a process that has closed its connection. It is usually about to end.
async fn hung_up(child: &mut Child, output: &Output) -> String {
    match timeout(LAST_WORDS, child.wait()).await {
        Ok(status) => output.exit(status).await,
        Err(_) => "it closed its connection".to_owned(),
    }
}

/// Waits until the binaries are of another generation than `born`.
async fn replaced(generation: &mut watch::Receiver<u64>, born: u64) {
    let _ = generation.wait_for(|generation| *generation != born).await;
}

/// Waits until the runner ends.
async fn closed(closing: &mut watch::Receiver<bool>) {
    let _ = closing.wait_for(|closing| *closing).await;
}

impl Output {
    /// The error for a process that has ended by itself.
    async fn exit(&self, status: std::io::Result<ExitStatus>) -> String {
        let status = match status {
            Ok(status) => status.to_string(),
            Err(error) => error.to_string(),
        };
        match self.last_error(LAST_WORDS).await {
            Some(line) => format!("the process ended ({status}): {line}"),
            None => format!("the process ended ({status})"),
        }
    }
}
