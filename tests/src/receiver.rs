//! A merchant's server that takes webhooks: it answers as told and remembers every attempt.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::Value;
use standardwebhooks::Webhook;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use crate::eventually::eventually;

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
struct Book {
    attempts: Vec<Attempt>,
    script: VecDeque<Reply>,
}

/// A server on loopback. It ends when it is dropped.
pub struct Receiver {
    url: String,
    book: Arc<Mutex<Book>>,
    server: JoinHandle<()>,
}

impl Receiver {
    /// A receiver that answers 200.
    pub async fn start() -> Receiver {
        Receiver::scripted([]).await
    }

    /// A receiver that gives these answers first, one to each attempt, and then 200.
    pub async fn scripted(replies: impl IntoIterator<Item = Reply>) -> Receiver {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/hook", listener.local_addr().unwrap());
        let book = Arc::new(Mutex::new(Book { attempts: Vec::new(), script: replies.into_iter().collect() }));
        let router = Router::new().fallback(receive).with_state(Arc::clone(&book));
        let server = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Receiver { url, book, server }
    }

    /// Where it listens.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Every attempt so far, in the order of arrival.
    pub fn attempts(&self) -> Vec<Attempt> {
        self.book.lock().unwrap().attempts.clone()
    }

    /// How many attempts there were so far.
    pub fn count(&self) -> usize {
        self.book.lock().unwrap().attempts.len()
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

impl Drop for Receiver {
    fn drop(&mut self) {
        self.server.abort();
    }
}

async fn receive(State(book): State<Arc<Mutex<Book>>>, headers: HeaderMap, body: Bytes) -> Response {
    let mut book = book.lock().unwrap();
    book.attempts.push(Attempt { at: Instant::now(), headers, body: body.to_vec() });
    let status = |code: u16| StatusCode::from_u16(code).unwrap();
    match book.script.pop_front() {
        None => StatusCode::OK.into_response(),
        Some(Reply::Status(code)) => status(code).into_response(),
        Some(Reply::Redirect(to)) => (StatusCode::TEMPORARY_REDIRECT, [(header::LOCATION, to)]).into_response(),
        Some(Reply::RetryAfter(code, seconds)) => {
            (status(code), [(header::RETRY_AFTER, seconds.to_string())]).into_response()
        }
    }
}
