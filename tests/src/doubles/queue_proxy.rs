//! A way to the queues that counts requests as SQS bills them, and takes as long as one is told that SQS does.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use http_body_util::Full;
use hyper::body::Bytes;
use hyper::{Request, Response};

use crate::client;
use crate::server::{Answered, Closed, Server};

/// What counts as one request: a batch of messages too, but for each so many bytes of it.
const CHUNK_BYTES: usize = 64 * 1024;

/// The proxy. It ends when it is dropped.
pub struct QueueProxy {
    server: Server,
    shared: Arc<Shared>,
}

struct Shared {
    delay: Duration,
    upstream: OnceLock<String>,
    http: reqwest::Client,
    requests: Mutex<BTreeMap<String, u64>>,
}

impl QueueProxy {
    /// A proxy where each request takes so much longer. It has to be told where the queues are.
    pub async fn start(delay: Duration) -> QueueProxy {
        let (upstream, requests) = (OnceLock::new(), Mutex::default());
        let shared = Arc::new(Shared { delay, upstream, http: client::http(), requests });
        let of_server = Arc::clone(&shared);
        let server = Server::start(move |request| pass(Arc::clone(&of_server), request)).await.unwrap();
        QueueProxy { server, shared }
    }

    /// Where the functions find it.
    pub fn url(&self) -> &str {
        self.server.url()
    }

    /// Where the queues are.
    pub fn set_upstream(&self, url: &str) {
        self.shared.upstream.set(url.to_owned()).unwrap();
    }

    /// Takes how often which action (`SendMessageBatch`, …) was billed since the last taking.
    pub fn take_requests(&self) -> BTreeMap<String, u64> {
        std::mem::take(&mut self.shared.requests.lock().unwrap())
    }
}

/// How many requests are billed for one whose messages have so many bytes.
pub fn billed(bytes: usize) -> u64 {
    u64::try_from(bytes.div_ceil(CHUNK_BYTES).max(1)).unwrap_or(u64::MAX)
}

async fn pass(shared: Arc<Shared>, request: Request<Bytes>) -> Answered {
    let (head, body) = request.into_parts();
    let action = head.headers.get("x-amz-target").and_then(|target| target.to_str().ok()).unwrap_or_default();
    let action = action.rsplit('.').next().unwrap_or_default().to_owned();
    *shared.requests.lock().unwrap().entry(action).or_default() += billed(body.len());
    tokio::time::sleep(shared.delay).await;
    let mut headers = head.headers;
    headers.remove("host");
    let upstream = shared.upstream.get().ok_or(Closed)?;
    let answer = shared.http.post(upstream).headers(headers).body(body).send().await.map_err(|_| Closed)?;
    let mut response = Response::builder().status(answer.status());
    for (name, value) in answer.headers().iter().filter(|(name, _)| *name != "transfer-encoding") {
        response = response.header(name, value);
    }
    let body = answer.bytes().await.map_err(|_| Closed)?;
    Ok(response.body(Full::new(body)).unwrap())
}
