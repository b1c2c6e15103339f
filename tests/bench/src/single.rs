//! One function at a time, alone under the runner's Runtime API: start-up time, latency and memory. The functions take
//! turns, so that other load on the machine affects all of them equally.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::{Value, json};
use spillway_bench::cost::deployed::Deployed;
use spillway_local::Single;
use spillway_tests::percentiles::Percentiles;
use spillway_tests::receiver::Receiver;
use spillway_tests::units::undelivered;
use spillway_tests::{Merchant, Options, Stack, Template, event};

use crate::encrypted::Encrypted;
use crate::plan::Plan;
use crate::{events, show};

/// The function that does nothing, for comparison.
pub const EMPTY: &str = "empty-function";
/// The measured functions; each needs the results of those before it.
pub const FUNCTIONS: [&str; 6] =
    ["create-payment", "get-payment", "authenticate", "call-processor", "deliver-webhook", EMPTY];

/// Functions that answer clients; their first event after a rest is measured, in the first rounds.
const RESTED: [&str; 2] = ["create-payment", "get-payment"];
const RESTS: usize = 3;
/// Longer than the 20 s after which a function drops a connection. An hour would show the same.
const REST: Duration = Duration::from_secs(21);

#[derive(Default)]
struct Figures {
    ready: Vec<Duration>,
    first: Vec<Duration>,
    warm: Vec<Duration>,
    rested: Vec<Duration>,
    peak_bytes: u64,
}

/// A stack without triggers, and a merchant on it.
pub struct Scene {
    pub stack: Stack,
    pub merchant: Merchant,
    _receiver: Receiver,
    /// What makes a function use the encrypted ways to table and queues.
    variables: Vec<(&'static str, String)>,
    _encrypted: Encrypted,
}

impl Scene {
    pub async fn set() -> Result<Scene, String> {
        let stack = Stack::try_start(Options::new().template(Template::without_triggers())).await?;
        let merchant = stack.new_merchant().await;
        let receiver = Receiver::start().await;
        merchant.client.create_webhook_endpoint(receiver.url(), &["payment.*"]).await;
        let encrypted = Encrypted::start().await.map_err(|error| error.to_string())?;
        let plain = environment(&stack);
        let variables = encrypted.before(&plain["AWS_ENDPOINT_URL_DYNAMODB"], &plain["AWS_ENDPOINT_URL_SQS"]);
        Ok(Scene { stack, merchant, _receiver: receiver, variables, _encrypted: encrypted })
    }

    /// The environment that the runner gives the functions, with TLS on the way to table and queues.
    pub fn environment(&self) -> BTreeMap<String, String> {
        let encrypted = self.variables.iter().map(|(name, value)| ((*name).to_owned(), value.clone()));
        environment(&self.stack).into_iter().chain(encrypted).collect()
    }
}

/// The environment that the runner of a stack gives the functions.
pub fn environment(stack: &Stack) -> BTreeMap<String, String> {
    let text = fs::read_to_string(stack.env_file()).unwrap();
    let pairs = text.lines().filter_map(|line| line.split_once('='));
    pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}

/// Path of a function's release binary: beside this program; the empty function has its own target folder.
pub fn binary(function: &str) -> PathBuf {
    let folder = std::env::current_exe().unwrap().parent().unwrap().to_owned();
    let folder = if function == EMPTY { folder.parent().unwrap().join("empty/release") } else { folder };
    folder.join(function)
}

/// Figures of each function by its name.
pub async fn measure(plan: &Plan) -> Result<Value, String> {
    let scene = Scene::set().await?;
    let (merchant, environment) = (&scene.merchant, scene.environment());
    let copies = scene.stack.data().join("programs");
    copy_programs(&copies).map_err(|error| format!("the programs can't be copied: {error}"))?;
    let mut all: BTreeMap<&str, Figures> = BTreeMap::new();
    // The first round is not counted: it loads the programs into the page cache.
    for round in 0..=plan.rounds {
        eprintln!("single figures: round {round} of {}", plan.rounds);
        let mut created: Vec<String> = Vec::new();
        for function in FUNCTIONS {
            let events: Vec<Value> = match function {
                "create-payment" | EMPTY => (0..=plan.events).map(|_| events::create_payment(merchant)).collect(),
                "get-payment" => created.iter().map(|id| events::get_payment(merchant, id)).collect(),
                "authenticate" => (0..=plan.events).map(|_| events::authenticate(merchant)).collect(),
                "call-processor" => messages(created.iter().map(|id| event::payment_message(&merchant.id, id))),
                _ => {
                    let ids = undelivered(&scene.stack, merchant).await;
                    messages(ids.iter().map(|id| event::event_message(&merchant.id, id)))
                }
            };
            let mut figures = Figures::default();
            let rest = round > 0 && round <= RESTS && RESTED.contains(&function);
            let program = copies.join(function);
            let answers = run(&program, &environment, memory(function), events, rest, &mut figures).await?;
            if let Some(wrong) = answers.iter().find(|answer| !is_right(function, answer)) {
                return Err(format!("{function} answered {wrong}"));
            }
            if function == "create-payment" {
                created = answers.iter().map(id).collect();
            }
            if round > 0 {
                let sum = all.entry(function).or_default();
                sum.first.extend(figures.first);
                sum.warm.extend(figures.warm);
                sum.rested.extend(figures.rested);
                sum.peak_bytes = sum.peak_bytes.max(figures.peak_bytes);
            }
        }
    }
    for (function, ready) in starts(plan.starts, &copies, &environment).await? {
        all.entry(function).or_default().ready.push(ready);
    }
    Ok(FUNCTIONS.iter().map(|function| ((*function).to_owned(), described(function, &all[function]))).collect())
}

/// The times from spawn to ready, of `rounds` starts of each program in the folder. They are apart from the events: a start
/// takes longer beside the ending of a process that has just worked, and not every function comes after such a process.
async fn starts(
    rounds: usize, folder: &Path, environment: &BTreeMap<String, String>,
) -> Result<Vec<(&'static str, Duration)>, String> {
    let mut measured = Vec::new();
    for round in 0..rounds {
        // Each function is the first one of a round as often as another.
        for number in 0..FUNCTIONS.len() {
            let function = FUNCTIONS[(round + number) % FUNCTIONS.len()];
            let started = Single::start(&folder.join(function), environment.clone(), memory(function)).await?;
            measured.push((function, started.ready_after()));
            started.end().await;
        }
    }
    Ok(measured)
}

/// Copies the measured programs to this folder. On AWS a program is a file that was copied. One that the linker has just
/// written takes longer to start, because of how its pages lie in the page cache.
fn copy_programs(folder: &Path) -> io::Result<()> {
    fs::create_dir_all(folder)?;
    FUNCTIONS.iter().try_for_each(|function| fs::copy(binary(function), folder.join(function)).map(drop))
}

fn messages(bodies: impl Iterator<Item = Value>) -> Vec<Value> {
    bodies.map(|body| event::sqs(&[body])).collect()
}

fn described(function: &str, figures: &Figures) -> Value {
    let of = |durations: &Vec<Duration>| show::percentiles(&Percentiles::of(durations.iter().copied()));
    let rested = (!figures.rested.is_empty()).then(|| of(&figures.rested));
    json!({"ready": of(&figures.ready), "first_event": of(&figures.first), "warm_event": of(&figures.warm),
        "rested_event": rested,
        "peak_memory_bytes": figures.peak_bytes, "binary_bytes": fs::metadata(binary(function)).unwrap().len()})
}

/// The memory whose CPU share the function gets. None without `CPU_SHARES=1`: it may use all CPU that there is.
fn memory(function: &str) -> Option<u32> {
    let wanted = std::env::var("CPU_SHARES").is_ok_and(|value| value == "1");
    wanted.then(|| u32::try_from(Deployed::read().memory(function)).unwrap_or(u32::MAX))
}

/// Starts the function, hands it these events, the last one after a rest if `rest` is set, and ends it.
async fn run(
    binary: &Path, environment: &BTreeMap<String, String>, memory: Option<u32>, events: Vec<Value>, rest: bool,
    figures: &mut Figures,
) -> Result<Vec<Value>, String> {
    let function = Single::start(binary, environment.clone(), memory).await?;
    let mut answers = Vec::new();
    let last = events.len() - 1;
    for (number, event) in events.into_iter().enumerate() {
        let is_rested = rest && number == last;
        if is_rested {
            tokio::time::sleep(REST).await;
        }
        let (answer, took) = function.invoke(event.to_string().into_bytes()).await?;
        match answers.is_empty() {
            true => figures.first.push(took),
            false if is_rested => figures.rested.push(took),
            false => figures.warm.push(took),
        }
        answers.push(serde_json::from_slice(&answer).unwrap_or_default());
    }
    figures.peak_bytes = peak_bytes(function.pid());
    function.end().await;
    Ok(answers)
}

/// Peak memory of the process, from `/proc`.
fn peak_bytes(pid: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")?.trim().strip_suffix(" kB"));
    peak.and_then(|kib| kib.parse::<u64>().ok()).unwrap_or_default() * 1024
}

/// The id of the payment in create-payment's answer.
fn id(answer: &Value) -> String {
    let body: Value = serde_json::from_str(answer["body"].as_str().unwrap_or_default()).unwrap_or_default();
    body["id"].as_str().unwrap_or_default().to_owned()
}

/// Whether the answer is the expected one.
pub fn is_right(function: &str, answer: &Value) -> bool {
    match function {
        "create-payment" => answer["statusCode"] == 202,
        "authenticate" => answer["policyDocument"]["Statement"][0]["Effect"] == "Allow",
        "call-processor" | "deliver-webhook" => answer["batchItemFailures"] == json!([]),
        _ => answer["statusCode"] == 200,
    }
}
