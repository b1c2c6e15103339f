//! Calls functions at a running `cargo lambda watch` instead of hosting them.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures::FutureExt;
use futures::future::BoxFuture;
use tokio::sync::Semaphore;
use tokio::time::Instant;

use crate::host;
use crate::invoke::{InvokeError, Outcome, Run};
use crate::template::Template;

/// Concurrent calls of one function. `cargo lambda watch` hangs at about a hundred.
const CALLS_MAX: usize = 32;

/// How long `cargo lambda watch` may take to listen. It listens before it builds.
const LISTEN_LIMIT: Duration = Duration::from_secs(20);
const LOOK_EVERY: Duration = Duration::from_millis(200);

/// The time limit of a function's first call, which waits for the build.
const FIRST_LIMIT: Duration = Duration::from_secs(600);

/// Why the functions at `WATCH_URL` cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum WatchError {
    #[error("nothing answers at WATCH_URL={0}: is `cargo lambda watch` running there?")]
    NothingListens(String),
    #[error(
        "the functions at WATCH_URL={url} do not use this stack: start `cargo lambda watch --env-file {}`",
        env_file.display()
    )]
    Stranger { url: String, env_file: PathBuf },
}

/// The functions of a running `cargo lambda watch`.
pub struct Watch {
    url: String,
    client: reqwest::Client,
    functions: HashMap<String, Arc<Function>>,
}

struct Function {
    timeout: Duration,
    calls: Semaphore,
    /// Whether a call has succeeded.
    built: AtomicBool,
}

impl Watch {
    /// The functions of `template` at `url`, as `http://127.0.0.1:9001`. Waits until `url` answers.
    pub async fn connect(template: &Template, url: &str) -> Result<Self, WatchError> {
        let url = url.trim_end_matches('/').to_owned();
        let nothing_listens = |_| WatchError::NothingListens(url.clone());
        // A proxy of the environment cannot reach this machine's loopback addresses.
        let client = reqwest::Client::builder().no_proxy().build().map_err(nothing_listens)?;
        listens(&client, &url, LISTEN_LIMIT).await.map_err(nothing_listens)?;
        let functions = template.functions.iter().map(|function| {
            let settings =
                Function { timeout: function.timeout, calls: Semaphore::new(CALLS_MAX), built: AtomicBool::new(false) };
            (function.name.clone(), Arc::new(settings))
        });
        Ok(Self { url, client, functions: functions.collect() })
    }
}

/// Waits until something answers HTTP at `url`.
async fn listens(client: &reqwest::Client, url: &str, limit: Duration) -> Result<(), reqwest::Error> {
    let deadline = Instant::now() + limit;
    loop {
        match client.get(url).timeout(LISTEN_LIMIT).send().await {
            Ok(_) => return Ok(()),
            Err(error) if Instant::now() >= deadline => return Err(error),
            Err(_) => tokio::time::sleep(LOOK_EVERY).await,
        }
    }
}

impl Run for Watch {
    fn run(&self, name: String, payload: Vec<u8>) -> BoxFuture<'static, Outcome> {
        let Some(function) = self.functions.get(&name).cloned() else {
            return futures::future::ready(Err(InvokeError::Unknown(name))).boxed();
        };
        let request = self.client.post(format!("{}/2015-03-31/functions/{name}/invocations", self.url)).body(payload);
        async move {
            let _call = function.calls.acquire().await;
            let limit = if function.built.load(Ordering::Relaxed) { function.timeout } else { FIRST_LIMIT };
            // Calls of a dead function hang, and a call during a reload can be lost.
            let answer = tokio::time::timeout(limit, send(request)).await;
            let outcome = answer.unwrap_or(Err(InvokeError::TimedOut(limit.as_secs())));
            if outcome.is_ok() {
                function.built.store(true, Ordering::Relaxed);
            }
            outcome
        }
        .boxed()
    }

    fn at_once(&self) -> usize {
        CALLS_MAX
    }
}

async fn send(request: reqwest::RequestBuilder) -> Outcome {
    let gone = |error: reqwest::Error| InvokeError::Crashed(format!("cargo lambda watch: {error}"));
    let response = request.send().await.map_err(gone)?;
    let failed = !response.status().is_success() || response.headers().contains_key("x-amz-function-error");
    let payload = response.bytes().await.map_err(gone)?;
    if !failed {
        return Ok(payload.to_vec());
    }
    match host::handled(&payload) {
        InvokeError::Handled { message, .. } if message.is_empty() => {
            Err(InvokeError::Crashed(String::from_utf8_lossy(&payload).into_owned()))
        }
        handled => Err(handled),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn waiting_for_an_address_ends_in_an_error() {
        let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        assert!(listens(&client, &format!("http://{free}"), Duration::ZERO).await.is_err());
    }
}
