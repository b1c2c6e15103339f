//! Shared by the tools: settings from the environment, Ctrl-C, and errors as sentences.

use std::io::IsTerminal;
use std::ops::{Deref, DerefMut, RangeInclusive};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use tokio::signal::unix::{SignalKind, signal};

use crate::options::Options;
use crate::process;
use crate::stack::Stack;

/// Exit code after Ctrl-C, by convention of shells.
const INTERRUPTED: u8 = 130;

/// Time limit for a stack's own end.
const END_LIMIT: Duration = Duration::from_secs(5);
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// A stack that a tool has started. Dropping it ends all its processes, including functions in the middle of a call.
pub struct OwnStack(Stack);

impl OwnStack {
    /// Starts it; `Err` is a sentence.
    pub async fn start(options: Options) -> Result<OwnStack, String> {
        Stack::try_start(options).await.map(OwnStack).map_err(|log| why(&log))
    }
}

impl Deref for OwnStack {
    type Target = Stack;

    fn deref(&self) -> &Stack {
        &self.0
    }
}

impl DerefMut for OwnStack {
    fn deref_mut(&mut self) -> &mut Stack {
        &mut self.0
    }
}

impl Drop for OwnStack {
    fn drop(&mut self) {
        // Each function has the runner's address in a variable, and the runner its folder.
        let (runtime, data) = (format!("127.0.0.1:{}/", self.0.port()), self.0.data().display().to_string());
        let left = || {
            let mut left = process::with_variable_that("AWS_LAMBDA_RUNTIME_API", |address| address.contains(&runtime));
            left.extend(process::with_variable("DATA", &data));
            left
        };
        let (runners, until) = (process::with_variable("DATA", &data), Instant::now() + END_LIMIT);
        for runner in runners {
            process::signal(runner.pid, "TERM");
        }
        while !left().is_empty() && Instant::now() < until {
            std::thread::sleep(LOOK_EVERY);
        }
        for process in left() {
            process::signal(process.pid, "KILL");
        }
    }
}

/// The number in the variable `name`, or the default; `Err` is a sentence.
pub fn number(name: &str, default: u64, allowed: RangeInclusive<u64>) -> Result<u64, String> {
    let Some(value) = std::env::var(name).ok().filter(|value| !value.is_empty()) else { return Ok(default) };
    let wrong = || format!("{name} is {value}; it must be a number from {} to {}.", allowed.start(), allowed.end());
    value.parse().ok().filter(|number| allowed.contains(number)).ok_or_else(wrong)
}

/// The minutes in the variable `name`, such as `10` or `0.5`, or the default; `Err` is a sentence.
pub fn minutes(name: &str, default: u32) -> Result<Duration, String> {
    let Some(value) = std::env::var(name).ok().filter(|value| !value.is_empty()) else {
        return Ok(Duration::from_mins(default.into()));
    };
    let minutes = value.parse().ok().filter(|minutes: &f64| (0.1..=1_440.0).contains(minutes));
    let length = minutes.and_then(|minutes| Duration::try_from_secs_f64(minutes).ok()?.checked_mul(60));
    length.ok_or_else(|| format!("{name} is {value}; it must be a number from 0.1 to 1440."))
}

/// The seed in `SEED`, or a new one; `Err` is a sentence.
pub fn seed() -> Result<u64, String> {
    number("SEED", fastrand::u64(1..1_000_000), 0..=u64::MAX)
}

/// Whether the output is one JSON object: `--json`, or `JSON=1`.
pub fn wants_json() -> bool {
    std::env::args().any(|argument| argument == "--json") || std::env::var("JSON").is_ok_and(|value| value == "1")
}

/// Whether the standard output is a terminal.
pub fn is_watched() -> bool {
    std::io::stdout().is_terminal()
}

/// Runs the tool's work. Ctrl-C, SIGTERM and the terminal's end drop the work, and with it the tool's own stack. The
/// work returns whether all was correct; its `Err` is a sentence.
pub async fn run(work: impl Future<Output = Result<bool, String>>) -> ExitCode {
    std::panic::set_hook(Box::new(|panic| {
        let message = panic.payload_as_str().unwrap_or("it can't go on");
        eprintln!("The tool failed: {}", message.lines().next().unwrap_or_default());
    }));
    let done = tokio::select! {
        done = work => done,
        () = ended() => return ExitCode::from(INTERRUPTED),
    };
    match done {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(sentence) => {
            eprintln!("{sentence}");
            ExitCode::FAILURE
        }
    }
}

async fn ended() {
    let signals = [SignalKind::interrupt(), SignalKind::terminate(), SignalKind::hangup()];
    let mut signals: Vec<_> = signals.into_iter().filter_map(|kind| signal(kind).ok()).collect();
    futures::future::select_all(signals.iter_mut().map(|signal| Box::pin(signal.recv()))).await;
}

/// `12,345`
pub fn grouped(number: i64) -> String {
    let digits = number.unsigned_abs().to_string();
    let groups: Vec<&str> = digits.as_bytes().rchunks(3).rev().filter_map(|group| str::from_utf8(group).ok()).collect();
    format!("{}{}", if number < 0 { "-" } else { "" }, groups.join(","))
}

/// [`grouped`] for a count.
pub fn count(number: usize) -> String {
    grouped(i64::try_from(number).unwrap_or(i64::MAX))
}

/// `4.1 ms`, `212 ms` or `2.04 s`
pub fn shown(duration: Duration) -> String {
    let micros = duration.as_micros();
    match micros {
        0..10_000 => format!("{}.{} ms", micros / 1_000, micros % 1_000 / 100),
        10_000..1_000_000 => format!("{} ms", micros / 1_000),
        _ => format!("{}.{:02} s", micros / 1_000_000, micros % 1_000_000 / 10_000),
    }
}

/// Why a stack did not start: the last line of its log.
fn why(log: &str) -> String {
    let last = log.lines().rev().find(|line| !line.trim().is_empty()).unwrap_or("it says nothing");
    format!("No stack can be started: {}", last.trim_start_matches("spillway-local: "))
}
