//! Runs one function's binary alone, for measurements.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::path::Path;
use std::time::{Duration, Instant};

use axum::serve::ListenerExt;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use super::{CpuShares, Host, Limits, Ready, START_LIMIT, process, routes};
use crate::log::Log;
use crate::runner::REGION;
use crate::template::{Function, Template};

/// The time limit of an invocation. Measurements may run a function under tools that make it slow.
const TIMEOUT: Duration = Duration::from_secs(120);

/// An idle process is stopped after this time.
const IDLE_LIMIT: Duration = Duration::from_secs(3600);

/// A function's binary that runs alone, as one process under this host's Runtime API.
pub struct Single {
    host: Host,
    function: String,
    ready: Ready,
    server: JoinHandle<()>,
}

impl Single {
    /// Starts `binary` with `environment` and the variables of every function, and waits until it asks for its first
    /// event. With `memory`, the process gets the CPU share that Lambda gives a function with so many MiB. Errors with one
    /// sentence if it does not ask, or if there are no shares.
    pub async fn start(
        binary: &Path, environment: BTreeMap<String, String>, memory: Option<u32>,
    ) -> Result<Single, String> {
        let (Some(folder), Some(name)) = (binary.parent(), binary.file_name().and_then(|name| name.to_str())) else {
            return Err(format!("{} is no program", binary.display()));
        };
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await;
        let listener = listener.map_err(|error| format!("no port is free: {error}"))?;
        let address = listener.local_addr().map_err(|error| format!("no port is free: {error}"))?.to_string();
        let shared = environment.into_iter().collect();
        let command = process::command(folder.to_owned(), address, REGION.to_owned(), shared);
        let cpu_shares = memory.map(|_| CpuShares::find()).transpose()?;
        let limits = Limits { processes: 1, idle: IDLE_LIMIT, start: START_LIMIT, kills: false, cpu_shares };
        let host = Host::with(&template(name, memory.unwrap_or(256)), REGION, command, limits, Log::to(false, |_| {}));
        let app = routes(host.clone());
        let server = tokio::spawn(async move {
            let listener = listener.tap_io(|stream| drop(stream.set_nodelay(true)));
            drop(axum::serve(listener, app).await);
        });
        let ready = host.prepare(name).await;
        let single = |ready| Single { host, function: name.to_owned(), ready, server };
        ready.map(single).map_err(|why| format!("{name}: {why}"))
    }

    /// The time from before the start of the process to its request for the first event.
    pub fn ready_after(&self) -> Duration {
        self.ready.after
    }

    /// The id of the process.
    pub fn pid(&self) -> u32 {
        self.ready.pid
    }

    /// Invokes the function once. Returns its answer and the time from the event to the answer. Errors with the
    /// function's own error, or with how its process ended.
    pub async fn invoke(&self, event: Vec<u8>) -> Result<(Vec<u8>, Duration), String> {
        let began = Instant::now();
        let answer = self.host.call(&self.function, event).await;
        let took = began.elapsed();
        answer.map(|answer| (answer, took)).map_err(|error| format!("{}: {error}", self.function))
    }

    /// Ends the process and waits until it is gone.
    pub async fn end(self) {
        self.host.close().await;
    }
}

impl Drop for Single {
    fn drop(&mut self) {
        self.host.0.closing.send_replace(true);
        self.server.abort();
    }
}

fn template(name: &str, memory: u32) -> Template {
    let name = name.to_owned();
    let function = Function { function_name: name.clone(), name, timeout: TIMEOUT, memory, ..Function::default() };
    Template { functions: vec![function], ..Template::default() }
}
