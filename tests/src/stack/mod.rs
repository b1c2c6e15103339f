//! A stack of one's own: the dev runner with its stores, queues and functions on a fresh folder.

pub mod cargo_lambda;
mod folder;
pub mod functions;
pub mod make;
pub mod metrics;
pub mod options;
mod port;
pub mod process;
pub mod refusal;
pub mod running;
pub mod template;
pub mod units;

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::ops::Deref;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;

use serde_json::{Value, json};

use crate::Merchant;
use crate::api::clock::in_seconds;
use crate::api::eventually::{Deadline, eventually};
use crate::client;
use crate::store_proxy::StoreProxy;
use crate::table::Table;
use crate::tls_proxy::{Authority, TlsProxy};

pub(crate) use folder::{binaries, fresh_folder};
use folder::{log_path, log_tail};
use options::{Functions, Options};
pub use port::free_port;
use port::port_was_taken;
use process::Process;
use running::RunningStack;
use template::Template;

const RUNNER: &str = "spillway-local";
/// Creates the merchant and the key that the stack starts with.
const SETUP: &str = "spillway-sandbox";

/// A running stack. It ends when it is dropped.
pub struct Stack {
    runner: Child,
    binaries: PathBuf,
    data: PathBuf,
    environment: BTreeMap<String, String>,
    running: RunningStack,
    store_proxy: Option<StoreProxy>,
    /// TLS before the store proxy.
    store_authority: Option<Arc<Authority>>,
    store_tls: Option<TlsProxy>,
}

/// [`RunningStack`] has what works with every stack. This type adds what only its owner may do.
impl Deref for Stack {
    type Target = RunningStack;

    fn deref(&self) -> &RunningStack {
        &self.running
    }
}

/// Knobs of the runner itself, which are no parameters of the template.
const RUNNER_KNOBS: [&str; 8] =
    ["CPU_SHARES", "FRESH", "FUNCTION_ENV", "KILL_FUNCTIONS", "PORT", "QUEUE_DISORDER", "ROLES", "TEMPLATE"];

impl Stack {
    /// Starts a stack and waits until it is ready; a runner that is not ready in time, or that ends, fails the test
    /// with the end of its log.
    pub async fn start(options: Options) -> Stack {
        Stack::try_start(options).await.unwrap_or_else(|log| panic!("the runner ended:\n{log}"))
    }

    /// The same for a tool: `Err` is the end of the log of a runner that has ended, whose last line says why.
    pub async fn try_start(options: Options) -> Result<Stack, String> {
        let binaries = binaries();
        let data = fresh_folder(&binaries);
        let mut environment = BTreeMap::from([
            ("PORT".to_owned(), "0".to_owned()),
            ("DATA".to_owned(), data.display().to_string()),
            ("STACK_NAME".to_owned(), "spillway".to_owned()),
            ("SETUP".to_owned(), binaries.join(SETUP).display().to_string()),
            ("FUNCTION_ENV".to_owned(), "WEBHOOK_LOOPBACK=true".to_owned()),
            // Tests read balances and lists as often as they like.
            ("BALANCE_RATE".to_owned(), "100000".to_owned()),
            ("BALANCE_BURST".to_owned(), "100000".to_owned()),
            ("HIGH_PLAN_LIST_RATE".to_owned(), "100000".to_owned()),
            ("TEMPLATE".to_owned(), write_template(&data, template(&options)).display().to_string()),
        ]);
        let folder = match options.functions {
            Functions::Built => None,
            Functions::WithExamples => Some(functions::with_examples(&binaries, &data)),
            Functions::KeepingLines(variables) => Some(functions::that_keep_lines(&binaries, &data, &variables)),
            Functions::WithVariables(name, variables) => {
                Some(functions::with_variables(&binaries, &data, name, &variables))
            }
        };
        environment.extend(folder.map(|folder| (functions::VARIABLE.to_owned(), folder.display().to_string())));
        if options.function_log {
            environment.insert("FUNCTION_LOG".to_owned(), data.join("functions.log").display().to_string());
        }
        environment.extend(options.environment);
        let store_authority = options.store_authority;
        let store_proxy = if options.store_proxy { Some(proxied(&mut environment).await) } else { None };
        let store_tls = encrypted(&mut environment, store_authority.as_deref()).await;
        let runner = spawn(&binaries, &data, &environment);
        let running = RunningStack::of(Value::Null);
        let mut stack = Stack { runner, binaries, data, environment, running, store_proxy, store_authority, store_tls };
        stack.be_ready().await?;
        Ok(stack)
    }

    /// Waits until the stack is ready. Errors with the end of the log if the runner has ended. If another program has
    /// taken the port meanwhile, it tries another port once.
    async fn be_ready(&mut self) -> Result<(), String> {
        let mut ready = self.ready().await;
        if self.store_proxy.is_some() && ready.as_ref().is_err_and(|log| port_was_taken(log)) {
            self.store_proxy = Some(proxied(&mut self.environment).await);
            self.store_tls = encrypted(&mut self.environment, self.store_authority.as_deref()).await;
            self.runner = spawn(&self.binaries, &self.data, &self.environment);
            ready = self.ready().await;
        }
        self.running = RunningStack::of(ready?);
        Ok(())
    }

    /// The content of `dev.json`. Errors with the end of the log if the runner has ended. A busy machine needs long.
    async fn ready(&mut self) -> Result<Value, String> {
        let path = self.data.join("dev.json");
        let runner = &mut self.runner;
        let data = &self.data;
        eventually("the stack is ready", Deadline::LATER, async || {
            if runner.try_wait().unwrap().is_some() {
                return Ok(Err(log_tail(data)));
            }
            let text = fs::read_to_string(&path).map_err(|_| log_tail(data))?;
            serde_json::from_str(&text).map(Ok).map_err(|error| error.to_string())
        })
        .await
    }

    /// Makes a webhook endpoint of the merchant look as if it had failed for this many seconds.
    pub async fn fails_since(&self, merchant: &Merchant, endpoint: &str, seconds: i64) {
        let key = json!({"pk": {"S": format!("{}#webhooks", merchant.tenant())}, "sk": {"S": endpoint}});
        let since = json!({":since": {"S": in_seconds(-seconds)}});
        let update = json!({"Key": key, "UpdateExpression": "SET failing_since = :since",
            "ExpressionAttributeValues": since});
        self.table().call("UpdateItem", update).await;
    }

    /// Makes the next delivery to an endpoint that is down a probe, as if the time of the next probe had come.
    pub async fn probes_now(&self, merchant: &Merchant, endpoint: &str) {
        let key = json!({"pk": {"S": format!("{}#webhooks", merchant.tenant())}, "sk": {"S": endpoint}});
        let update = json!({"Key": key, "UpdateExpression": "SET probe_at = :now",
            "ConditionExpression": "attribute_exists(probe_at)",
            "ExpressionAttributeValues": {":now": {"S": in_seconds(0)}}});
        // An endpoint that works needs no probe.
        let _ = self.table().try_call("UpdateItem", update).await;
    }

    /// Kills the runner by SIGKILL, and waits until all processes that it started have ended too.
    pub async fn kill(&mut self) {
        let started = process::descendants(self.runner.id());
        self.runner.kill().unwrap();
        self.runner.wait().unwrap();
        all_end(&started).await;
    }

    /// Sends the runner a signal, as a terminal or a supervisor does ("INT", "TERM"). Waits until it and all processes
    /// that it started have ended, and returns its exit code.
    pub async fn end_by(&mut self, signal: &str) -> Option<i32> {
        let started = process::descendants(self.runner.id());
        assert!(process::signal(self.runner.id(), signal));
        let status = eventually("the runner ends", Deadline::SOON, async || {
            self.runner.try_wait().unwrap().ok_or_else(|| "it runs".to_owned())
        })
        .await;
        all_end(&started).await;
        status.code()
    }

    /// Starts a killed stack again on its data.
    pub async fn restart(&mut self) {
        self.start_again().await.unwrap_or_else(|log| panic!("the runner ended:\n{log}"));
    }

    /// The same for a tool. The store has no faults meanwhile, because a runner that starts gives up after a few of them.
    /// `Err` is the end of the log of a runner that has ended.
    pub async fn try_restart(&mut self) -> Result<(), String> {
        let calm = |stack: &Stack, calm| stack.store_proxy.iter().for_each(|proxy| proxy.set_calm(calm));
        calm(self, true);
        let started = self.start_again().await;
        calm(self, false);
        started
    }

    async fn start_again(&mut self) -> Result<(), String> {
        fs::remove_file(self.data.join("dev.json")).unwrap();
        self.runner = spawn(&self.binaries, &self.data, &self.environment);
        self.be_ready().await
    }

    /// Deletes all messages, as if the queues' file were lost. Call it only while the stack is dead.
    pub fn delete_queues(&self) {
        for name in ["queues.db", "queues.db-wal", "queues.db-shm"] {
            let path = self.data.join("state").join(name);
            assert!(name != "queues.db" || path.exists(), "{} is missing", path.display());
            let _ = fs::remove_file(path);
        }
    }

    /// Changes the template for the next [`Stack::restart`].
    pub fn set_template(&mut self, template: Template) {
        let path = write_template(&self.data, Some(template));
        self.set_knob("TEMPLATE", path.display());
    }

    /// Sets a knob for the next [`Stack::restart`].
    pub fn set_knob(&mut self, name: &str, value: impl ToString) {
        self.environment.insert(name.to_owned(), value.to_string());
    }

    /// The path of the runner's program.
    pub fn runner() -> PathBuf {
        binaries().join(RUNNER)
    }

    /// The folder with the stack's state, log and description.
    pub fn data(&self) -> &Path {
        &self.data
    }

    /// Everything that the runner and the functions have printed.
    pub fn log(&self) -> String {
        fs::read_to_string(log_path(&self.data)).unwrap()
    }

    /// Waits until the log has the panic of the program in this file, with its place.
    pub async fn logs_panic(&self, program: &str, file: &str) {
        let place = format!("panic  place={file}:");
        eventually("the panic is logged with its place", Deadline::SOON, async || {
            let log = self.log();
            if log.lines().any(|line| line.contains(program) && line.contains(&place)) { Ok(()) } else { Err(log) }
        })
        .await;
    }

    /// The API key that the stack starts with.
    pub fn developers_key(&self) -> &str {
        self.described("api_key")
    }

    /// The merchant that the stack starts with.
    pub fn developers_merchant(&self) -> &str {
        self.described("merchant_id")
    }

    /// The file with the environment that the runner gives the functions.
    pub fn env_file(&self) -> &Path {
        Path::new(self.described("env_file"))
    }

    /// The port of the API, of Lambda's and of its Runtime API.
    pub fn port(&self) -> u16 {
        let authority = self.base_url().trim_end_matches("/v1");
        authority.rsplit(':').next().unwrap().parse().unwrap()
    }

    /// What each process of the function `name` has printed to its standard output, with [`Options::keep_lines`].
    pub fn printed(&self, name: &str) -> Vec<String> {
        functions::printed(&self.data, name)
    }

    /// All that any function has printed to its standard output, with [`Options::keep_lines`].
    pub fn all_printed(&self) -> String {
        functions::all_printed(&self.data)
    }

    /// A program of the workspace, by its name.
    pub fn program(name: &str) -> PathBuf {
        binaries().join(name)
    }

    /// The runner's process.
    pub fn pid(&self) -> u32 {
        self.runner.id()
    }

    /// The URL of the table's DynamoDB, past any proxy.
    pub fn dynamodb_url(&self) -> &str {
        self.described("dynamodb_url")
    }

    /// The proxy before the store, if the stack was started with one.
    pub fn store_proxy(&self) -> &StoreProxy {
        self.store_proxy.as_ref().expect("started with Options::store_proxy")
    }

    /// The table behind the proxy, as the functions see it.
    pub fn proxied_table(&self) -> Table {
        Table::new(&client::http(), &self.store_proxy().url(), self.described("table"))
    }

    /// The processes that run the function `name` now.
    pub fn function_pids(&self, name: &str) -> Vec<u32> {
        let all = process::descendants(self.runner.id());
        all.iter().filter(|process| process.program == name).map(|process| process.pid).collect()
    }

    /// Kills every process of the function `name` by SIGKILL, and waits until they have ended: one that is still dying
    /// could get the next call. Returns their number.
    pub async fn kill_function(&self, name: &str) -> usize {
        let mut all = process::descendants(self.runner.id());
        all.retain(|process| process.program == name && process::signal(process.pid, "KILL"));
        all_end(&all).await;
        all.len()
    }
}

impl Drop for Stack {
    fn drop(&mut self) {
        // The functions end by themselves when the runner does.
        let ended = self.runner.kill().and_then(|()| self.runner.wait());
        if std::thread::panicking() || ended.is_err() {
            eprintln!("the stack's data stays in {}; its log ends:\n{}", self.data.display(), log_tail(&self.data));
        } else {
            // What can't be removed stays under target/.
            let _ = fs::remove_dir_all(&self.data);
        }
    }
}

async fn all_end(started: &[Process]) {
    eventually("all that the runner started ends", Deadline::LATER, async || {
        let left: Vec<&Process> = started.iter().filter(|process| process::runs(process)).collect();
        if left.is_empty() { Ok(()) } else { Err(format!("{left:?}")) }
    })
    .await;
}

fn spawn(binaries: &Path, data: &Path, environment: &BTreeMap<String, String>) -> Child {
    let log = File::options().create(true).append(true).open(log_path(data)).unwrap();
    let runner = binaries.join(RUNNER);
    assert!(runner.exists(), "{} is missing: `make test` builds the workspace first", runner.display());
    let mut command = Command::new(runner);
    command.envs(environment).stdin(Stdio::null()).stdout(log.try_clone().unwrap()).stderr(log);
    command.spawn().unwrap()
}

/// The template that the options ask for, if it is not the system's own.
fn template(options: &Options) -> Option<Template> {
    let own = Template::read();
    // A knob that nothing reads would make a test prove less than it says.
    let parameters: Vec<String> = own.keys(&["Parameters"]).into_iter().map(template::knob).collect();
    for name in options.environment.keys() {
        assert!(parameters.contains(name) || RUNNER_KNOBS.contains(&name.as_str()), "nothing reads the knob {name}");
    }
    let wanted = options.template.clone().unwrap_or_else(|| own.clone()).allowing(&options.environment);
    (wanted != own).then_some(wanted)
}

/// The system's own template where it lies, or a changed copy of it in the stack's folder.
fn write_template(data: &Path, changed: Option<Template>) -> PathBuf {
    let Some(template) = changed else {
        return template::path();
    };
    let path = data.join("template.yaml");
    template.write(&path);
    path
}

/// A proxy, and in `environment` what puts it between the functions and the store.
async fn proxied(environment: &mut BTreeMap<String, String>) -> StoreProxy {
    let port = free_port();
    let proxy = StoreProxy::start(format!("http://127.0.0.1:{port}")).await;
    environment.insert("DYNAMODB_PORT".to_owned(), port.to_string());
    environment.insert("STORE_URL".to_owned(), proxy.url());
    proxy
}

/// TLS before the store that `environment` names, and in `environment` its address. None without an authority.
async fn encrypted(environment: &mut BTreeMap<String, String>, authority: Option<&Authority>) -> Option<TlsProxy> {
    let proxy = TlsProxy::start(authority?).await.unwrap();
    let store = environment.insert("STORE_URL".to_owned(), proxy.url().to_owned());
    proxy.set_upstream(&store.unwrap_or_default());
    Some(proxy)
}
