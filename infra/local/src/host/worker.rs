//! The life of one process: started, asked, answered, stopped.

use std::process::ExitStatus;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use axum::body::Bytes;
use tokio::process::Child;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::timeout;

use super::pool::{Job, Next, Pool};
use super::process::Output;
use super::{Host, process};
use crate::invoke::{InvokeError, Outcome};

/// What a process says through its Runtime API.
pub(super) enum Message {
    /// It asks for an event.
    Next(oneshot::Sender<Delivery>),
    /// It has ended an invocation.
    Answer {
        id: String,
        outcome: Outcome,
        /// Told whether that invocation was its own.
        known: oneshot::Sender<bool>,
    },
    /// It could not start.
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
    pub generation: watch::Receiver<u64>,
    pub closing: watch::Receiver<bool>,
}

/// Why a process is not asked any further.
enum End {
    /// Idle for long, replaced, or the runner ends.
    Stopped,
    /// It went away by itself, or did what no Lambda runtime does.
    Failed(String),
}

impl Worker {
    pub async fn run(mut self) {
        let command = (self.host.0.command)(&self.pool.function, &self.token);
        let log = self.host.0.log.clone();
        let name = self.pool.function.name.clone();
        let mut started = false;
        let end = match process::spawn(command, &name, &log) {
            Ok((mut child, output)) => {
                let end = self.live(&mut child, &output, &mut started).await;
                let _ = child.kill().await;
                end
            }
            Err(error) => End::Failed(format!("{name} cannot be started: {error}")),
        };
        self.host.workers().remove(&self.token);
        let ended = self.pool.ended(started);
        if let End::Failed(why) = end {
            let closing = *self.closing.borrow();
            if !closing {
                log.warning(&name, &why);
            }
            for job in ended.failed {
                let _ = job.reply.send(Err(InvokeError::Crashed(why.clone())));
            }
        }
        if ended.start {
            self.host.start(&self.pool);
        }
    }

    async fn live(&mut self, child: &mut Child, output: &Output, started: &mut bool) -> End {
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
        self.pool.started();
        loop {
            let job = match self.pool.next() {
                Next::Work(job) => job,
                Next::Wait(receiver) => match self.idle(child, output, receiver).await {
                    Ok(job) => job,
                    Err(end) => return end,
                },
            };
            ready = match self.work(child, output, job, ready).await {
                Ok(ready) => ready,
                Err(end) => return end,
            };
            if self.generation.has_changed().unwrap_or(true) {
                return End::Stopped;
            }
        }
    }

    /// Waits until the process asks for an event.
    async fn asked(&mut self, child: &mut Child, output: &Output) -> Result<oneshot::Sender<Delivery>, End> {
        loop {
            tokio::select! {
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

    /// Waits for a call. One that arrives while the process ends goes back to the others.
    async fn idle(
        &mut self, child: &mut Child, output: &Output, mut receiver: oneshot::Receiver<Job>,
    ) -> Result<Job, End> {
        let end = tokio::select! {
            job = &mut receiver => return job.map_err(|_| End::Stopped),
            status = child.wait() => End::Failed(output.exit(status).await),
            () = tokio::time::sleep(self.host.0.limits.idle) => End::Stopped,
            _ = self.generation.changed() => End::Stopped,
            () = closed(&mut self.closing) => End::Stopped,
        };
        receiver.close();
        match (receiver.try_recv(), &end) {
            (Ok(job), End::Failed(_)) => {
                if self.pool.submit(job) {
                    self.host.start(&self.pool);
                }
                Err(end)
            }
            (Ok(job), End::Stopped) => Ok(job),
            (Err(_), _) => Err(end),
        }
    }

    /// Hands one call to the process and waits for its answer and its next question.
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
        let answer = match ready.send(delivery) {
            Ok(()) => timeout(limit, self.answer(child, output, &job.id)).await,
            // Its connection is closed, so the process is gone or as good as gone.
            Err(_) => Ok(Err(InvokeError::Crashed("it closed its connection".to_owned()))),
        };
        let outcome = match answer {
            Ok(Ok(outcome)) => outcome,
            Ok(Err(error)) => {
                let why = error.to_string();
                let _ = job.reply.send(Err(error));
                return Err(End::Failed(why));
            }
            Err(_) => {
                let error = InvokeError::TimedOut(limit.as_secs());
                let why = error.to_string();
                let _ = job.reply.send(Err(error));
                return Err(End::Failed(why));
            }
        };
        let _ = job.reply.send(outcome);
        self.asked(child, output).await
    }

    /// `Err`: the process ended first.
    async fn answer(&mut self, child: &mut Child, output: &Output, id: &str) -> Result<Outcome, InvokeError> {
        loop {
            tokio::select! {
                message = self.inbox.recv() => match message {
                    Some(Message::Answer { id: answered, outcome, known }) => {
                        let own = answered == id;
                        let _ = known.send(own);
                        if own {
                            return Ok(outcome);
                        }
                    }
                    Some(Message::InitError(why)) => return Err(InvokeError::Crashed(why)),
                    Some(Message::Next(_)) => {
                        let why = "it asked for an event before it had answered".to_owned();
                        return Err(InvokeError::Crashed(why));
                    }
                    None => return Err(InvokeError::Crashed("the runner is ending".to_owned())),
                },
                status = child.wait() => {
                    return Err(InvokeError::Crashed(output.exit(status).await));
                }
                () = closed(&mut self.closing) => {
                    return Err(InvokeError::Crashed("the runner is ending".to_owned()));
                }
            }
        }
    }
}

/// Waits until the runner ends.
async fn closed(closing: &mut watch::Receiver<bool>) {
    let _ = closing.wait_for(|closing| *closing).await;
}

impl Output {
    /// What to say of a process that has ended by itself.
    async fn exit(&self, status: std::io::Result<ExitStatus>) -> String {
        let status = match status {
            Ok(status) => status.to_string(),
            Err(error) => error.to_string(),
        };
        match self.last_error(Duration::from_millis(200)).await {
            Some(line) => format!("the process ended ({status}): {line}"),
            None => format!("the process ended ({status})"),
        }
    }
}
