//! A merchant's server that takes webhooks: it answers as told and remembers every attempt.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use hyper::body::Bytes;
use hyper::header::{LOCATION, RETRY_AFTER};
use hyper::{HeaderMap, Request, Response};
use serde_json::Value;
use standardwebhooks::Webhook;

use crate::api::eventually::eventually;
use crate::server::{Answered, Server};

/// One delivery attempt as it arrived.
#[derive(Debug, Clone)]
pub struct Attempt {
    /// When.
    pub at: Instant,
    /// Its headers.
    pub headers: HeaderMap,
    /// Its body as sent.
    pub body: Vec<u8>,
}

impl Attempt {
    /// The header `webhook-id`.
    pub fn id(&self) -> &str {
        self.headers["webhook-id"].to_str().unwrap()
    }

    /// The body.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }

    /// Checks the signature as the merchant would, with the official crate.
    pub fn verify(&self, secret: &str) -> Result<(), standardwebhooks::WebhookError> {
        Webhook::new(secret)?.verify(&self.body, &self.headers)
    }
}

/// What a receiver answers to one attempt.
#[derive(Debug, Clone)]
pub enum Reply {
    /// This status.
    Status(u16),
    /// 307 to this address.
    Redirect(String),
    /// This status, with a Retry-After in seconds.
    RetryAfter(u16, u32),
}

#[derive(Default)]
struct State {
    attempts: Vec<Attempt>,
    script: VecDeque<Reply>,
}

/// A server on loopback. It ends when it is dropped.
pub struct Receiver {
    url: String,
    state: Arc<Mutex<State>>,
    /// Ends when it is dropped.
    _server: Server,
}

impl Receiver {
    /// A receiver that answers 200.
    pub async fn start() -> Receiver {
        Receiver::scripted([]).await
    }

    /// A receiver that gives these answers first, one to each attempt, and then 200.
    pub async fn scripted(replies: impl IntoIterator<Item = Reply>) -> Receiver {
        let state = Arc::new(Mutex::new(State { attempts: Vec::new(), script: replies.into_iter().collect() }));
        let of_server = Arc::clone(&state);
        let server = Server::start(move |request| std::future::ready(receive(&of_server, request))).await.unwrap();
        Receiver { url: format!("{}/hook", server.url()), state, _server: server }
    }

    /// Where it listens.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// From now on it answers 200, whatever it was told before.
    pub fn works(&self) {
        self.state.lock().unwrap().script.clear();
    }

    /// Every attempt so far, in the order of arrival.
    pub fn attempts(&self) -> Vec<Attempt> {
        self.state.lock().unwrap().attempts.clone()
    }

    /// How many attempts there were so far.
    pub fn count(&self) -> usize {
        self.state.lock().unwrap().attempts.len()
    }

    /// Waits until there were at least `count` attempts; gives all.
    pub async fn attempts_at_least(&self, count: usize, deadline: Duration) -> Vec<Attempt> {
        eventually(&format!("{count} delivery attempts"), deadline, async || {
            let attempts = self.attempts();
            if attempts.len() < count { Err(format!("{} attempts", attempts.len())) } else { Ok(attempts) }
        })
        .await
    }
}

fn receive(state: &Mutex<State>, request: Request<Bytes>) -> Answered {
    let mut state = state.lock().unwrap();
    let (head, body) = request.into_parts();
    state.attempts.push(Attempt { at: Instant::now(), headers: head.headers, body: body.to_vec() });
    let response = Response::builder();
    let response = match state.script.pop_front() {
        None => response,
        Some(Reply::Status(code)) => response.status(code),
        Some(Reply::Redirect(to)) => response.status(307).header(LOCATION, to),
        Some(Reply::RetryAfter(code, seconds)) => response.status(code).header(RETRY_AFTER, seconds),
    };
    Ok(response.body(Default::default()).unwrap())
}
