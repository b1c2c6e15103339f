//! A webhook receiver: the server of a merchant that takes deliveries.

use std::collections::VecDeque;
use std::io;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use hyper::body::Bytes;
use hyper::header::{LOCATION, RETRY_AFTER};
use hyper::{HeaderMap, Request, Response};
use serde_json::Value;
use standardwebhooks::Webhook;
use tokio::sync::watch;

use crate::api::eventually::eventually;
use crate::server::{Answered, Closed, Server};

/// One delivery attempt as it arrived.
#[derive(Debug, Clone)]
pub struct Attempt {
    /// Time of arrival.
    pub at: Instant,
    /// Path of the URL.
    pub path: String,
    /// Headers.
    pub headers: HeaderMap,
    /// Body as sent.
    pub body: Vec<u8>,
}

impl Attempt {
    /// The header `webhook-id`.
    pub fn id(&self) -> &str {
        self.headers["webhook-id"].to_str().unwrap()
    }

    /// The body as JSON.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }

    /// Verifies the signature as a merchant does, with the crate `standardwebhooks`.
    pub fn verify(&self, secret: &str) -> Result<(), standardwebhooks::WebhookError> {
        Webhook::new(secret)?.verify(&self.body, &self.headers)
    }
}

/// The receiver's answer to one attempt.
#[derive(Debug, Clone)]
pub enum Reply {
    /// This status.
    Status(u16),
    /// 307 to this address.
    Redirect(String),
    /// This status, with `Retry-After` in seconds.
    RetryAfter(u16, u32),
    /// Closes the connection without an answer.
    Close,
    /// No answer until [`Receiver::works`], then 200.
    Held,
}

/// A server on loopback that answers each attempt with what `reply` returns; `Err` if there is no free port.
pub(crate) async fn serve<R, F>(reply: R) -> io::Result<Server>
where
    R: Fn(Attempt) -> F + Clone + Send + Sync + 'static,
    F: Future<Output = Reply> + Send + 'static,
{
    Server::start(move |request: Request<Bytes>| {
        let (head, body) = request.into_parts();
        let path = head.uri.path().to_owned();
        let reply = reply(Attempt { at: Instant::now(), path, headers: head.headers, body: body.to_vec() });
        async move { answer(reply.await) }
    })
    .await
}

fn answer(reply: Reply) -> Answered {
    let response = Response::builder();
    let response = match reply {
        Reply::Status(code) => response.status(code),
        Reply::Redirect(to) => response.status(307).header(LOCATION, to),
        Reply::RetryAfter(code, seconds) => response.status(code).header(RETRY_AFTER, seconds),
        Reply::Close | Reply::Held => return Err(Closed),
    };
    Ok(response.body(Default::default()).unwrap())
}

#[derive(Default)]
struct State {
    attempts: Vec<Attempt>,
    script: VecDeque<Reply>,
}

impl State {
    fn receive(&mut self, attempt: Attempt) -> Reply {
        self.attempts.push(attempt);
        self.script.pop_front().unwrap_or(Reply::Status(200))
    }
}

/// A receiver on loopback that records every attempt. Dropping it ends it.
pub struct Receiver {
    url: String,
    state: Arc<Mutex<State>>,
    works: watch::Sender<bool>,
    _server: Server,
}

impl Receiver {
    /// A receiver that answers 200.
    pub async fn start() -> Receiver {
        Receiver::scripted([]).await
    }

    /// A receiver that answers the first attempts with these replies, and later ones with 200.
    pub async fn scripted(replies: impl IntoIterator<Item = Reply>) -> Receiver {
        let state = Arc::new(Mutex::new(State { attempts: Vec::new(), script: replies.into_iter().collect() }));
        let (of_server, works) = (Arc::clone(&state), watch::Sender::new(false));
        let released = works.subscribe();
        let server = serve(move |attempt| {
            let (reply, mut released) = (of_server.lock().unwrap().receive(attempt), released.clone());
            async move {
                match reply {
                    Reply::Held if released.wait_for(|works| *works).await.is_ok() => Reply::Status(200),
                    other => other,
                }
            }
        });
        let server = server.await.unwrap();
        Receiver { url: format!("{}/hook", server.url()), state, works, _server: server }
    }

    /// A receiver that answers nothing until [`Receiver::works`].
    pub async fn hanging() -> Receiver {
        Receiver::scripted(vec![Reply::Held; 100_000]).await
    }

    /// Its address.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Drops the rest of the script: it answers 200 from now on, also to the attempts that it holds.
    pub fn works(&self) {
        self.state.lock().unwrap().script.clear();
        self.works.send_replace(true);
    }

    /// All attempts so far, in order of arrival.
    pub fn attempts(&self) -> Vec<Attempt> {
        self.state.lock().unwrap().attempts.clone()
    }

    /// Number of attempts so far.
    pub fn count(&self) -> usize {
        self.state.lock().unwrap().attempts.len()
    }

    /// Waits for at least `count` attempts; returns all.
    pub async fn attempts_at_least(&self, count: usize, deadline: Duration) -> Vec<Attempt> {
        eventually(&format!("{count} delivery attempts"), deadline, async || {
            let attempts = self.attempts();
            if attempts.len() < count { Err(format!("{} attempts", attempts.len())) } else { Ok(attempts) }
        })
        .await
    }
}
