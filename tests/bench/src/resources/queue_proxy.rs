//! A proxy before the queues that counts requests as SQS bills them, and delays each by a given time.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use http_body_util::Full;
use hyper::body::Bytes;
use hyper::{Request, Response};

use spillway_tests::server::{Answered, Closed, Server};

/// SQS bills a request, also of a batch, once for each started part of this size.
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
    /// A proxy that delays each request by `delay`. It answers none before [`QueueProxy::set_upstream`].
    pub async fn start(delay: Duration) -> QueueProxy {
        let (upstream, requests) = (OnceLock::new(), Mutex::default());
        let shared = Arc::new(Shared {
            delay,
            upstream,
            http: reqwest::Client::builder().no_proxy().build().unwrap(),
            requests,
        });
        let of_server = Arc::clone(&shared);
        let server = Server::start(move |request| pass(Arc::clone(&of_server), request)).await.unwrap();
        QueueProxy { server, shared }
    }

    /// The address that the functions use.
    pub fn url(&self) -> &str {
        self.server.url()
    }

    /// Sets the address of the queues.
    pub fn set_upstream(&self, url: &str) {
        self.shared.upstream.set(url.to_owned()).unwrap();
    }

    /// Billed requests by action (`SendMessageBatch`, …) since the last call.
    pub fn take_requests(&self) -> BTreeMap<String, u64> {
        std::mem::take(&mut self.shared.requests.lock().unwrap())
    }
}

/// Billed requests for one whose messages have so many bytes.
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
