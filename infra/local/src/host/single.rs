//! One function's binary alone, for measurements.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::path::Path;
use std::time::{Duration, Instant};

use axum::serve::ListenerExt;
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use super::{Host, Limits, Ready, START_LIMIT, process, routes};
use crate::log::Log;
use crate::runner::REGION;
use crate::template::{Api, Function, Table, Template};

/// One invocation may take so long: measurements may run a function under tools that make it slow.
const TIMEOUT: Duration = Duration::from_secs(120);

/// A process that has nothing to do for so long is stopped.
const IDLE_LIMIT: Duration = Duration::from_secs(3600);

/// A function's binary that runs alone, as one process under this host's Runtime API.
pub struct Single {
    host: Host,
    function: String,
    ready: Ready,
    server: JoinHandle<()>,
}

impl Single {
    /// Starts `binary` with `environment` beside what every function is given, and waits until it asks for its first
    /// event. The error is a sentence: why it never will.
    pub async fn start(binary: &Path, environment: BTreeMap<String, String>) -> Result<Single, String> {
        let (Some(folder), Some(name)) = (binary.parent(), binary.file_name().and_then(|name| name.to_str())) else {
            return Err(format!("{} is no program", binary.display()));
        };
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await;
        let listener = listener.map_err(|error| format!("no port is free: {error}"))?;
        let address = listener.local_addr().map_err(|error| format!("no port is free: {error}"))?.to_string();
        let shared = environment.into_iter().collect();
        let command = process::command(folder.to_owned(), address, REGION.to_owned(), shared);
        let limits = Limits { processes: 1, idle: IDLE_LIMIT, start: START_LIMIT, kills: false };
        let host = Host::with(&template(name), REGION, command, limits, Log::to(false, |_| {}));
        let app = routes(host.clone());
        let server = tokio::spawn(async move {
            let listener = listener.tap_io(|stream| drop(stream.set_nodelay(true)));
            drop(axum::serve(listener, app).await);
        });
        let ready = host.prepare(name).await;
        let single = |ready| Single { host, function: name.to_owned(), ready, server };
        ready.map(single).map_err(|why| format!("{name}: {why}"))
    }

    /// How long it took from before the process was spawned until it asked for its first event.
    pub fn ready_after(&self) -> Duration {
        self.ready.after
    }

    /// The process.
    pub fn pid(&self) -> u32 {
        self.ready.pid
    }

    /// Invokes it once: its answer, and how long that took from handing over the event to having the answer. The error
    /// is the function's own, or says how it ended.
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

fn template(name: &str) -> Template {
    let function = Function {
        logical_id: name.to_owned(),
        name: name.to_owned(),
        function_name: name.to_owned(),
        timeout: TIMEOUT,
        memory: 256,
        environment: BTreeMap::new(),
        role: None,
        triggers: Vec::new(),
    };
    Template {
        functions: vec![function],
        queues: Vec::new(),
        table: Table { name: String::new(), properties: Value::Null },
        usage_plans: Vec::new(),
        api: Api::default(),
    }
}
