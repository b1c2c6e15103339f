//! The dev runner: what `infra/template.yaml` describes, on this machine.
//!
//! One module for each thing that it stands in for: API Gateway ([`gateway`], [`plan_keys`]), Lambda ([`host`],
//! [`invoke_api`]), IAM ([`roles`]), DynamoDB and its stream ([`table`], [`stream`]), SQS and its triggers ([`queue`])
//! and the scheduler ([`schedule`]). [`runner`] puts them together.
//!
//! To others it is a program, [`run`]; only [`Single`], one function by itself, is of use to measurements, and
//! [`template_document`] to tests that look at a template.
#![allow(rustdoc::private_intra_doc_links, reason = "the page is for those who work on it")]

mod arn;
mod clock;
mod files;
mod gateway;
mod host;
mod invoke;
mod invoke_api;
mod log;
mod partial_answer;
mod plan_keys;
mod queue;
mod ready;
mod rebuild;
mod reference;
mod roles;
mod runner;
mod sandbox;
mod schedule;
mod settings;
mod stream;
mod table;
mod template;
mod watch;

use std::process::{Command, ExitCode};
use std::time::Duration;

use tokio::signal::unix::{Signal, SignalKind, signal};

pub use host::Single;
pub use reference::page as reference_page;
pub use template::document as template_document;

use log::Log;
use runner::{Runner, RunnerError};
use settings::Settings;

/// How long the last lines may take to reach the terminal.
const LAST_LINES: Duration = Duration::from_secs(1);

/// The program: runs the stack that its environment describes until it is told to end, or fails.
pub async fn run() -> ExitCode {
    let (log, flush) = Log::terminal();
    let result = serve(&log).await;
    flush.wait(LAST_LINES);
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("spillway-local: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn serve(log: &Log) -> Result<(), RunnerError> {
    let io = |error| RunnerError::Io { what: "the runner".to_owned(), error };
    let mut signals = vec![SignalKind::interrupt(), SignalKind::terminate()];
    if !ignores_hangup() {
        signals.push(SignalKind::hangup());
    }
    let mut end = signals.into_iter().map(signal).collect::<Result<Vec<_>, _>>().map_err(io)?;

    let executable = std::env::current_exe().map_err(io)?;
    let beside = executable.parent().map(Into::into).unwrap_or_default();
    let settings = Settings::read(&|name| std::env::var(name).ok(), beside)?;
    let mut runner = tokio::select! {
        runner = Runner::start(&settings, log) => runner?,
        () = ended(&mut end) => return Ok(()),
    };
    log.plain(&runner.ready.banner());
    let result = tokio::select! {
        error = runner.failed() => Err(error),
        () = ended(&mut end) => Ok(()),
    };
    runner.stop().await;
    result
}

/// Whether this process was started to outlive its terminal, as `nohup` does. A child inherits that, so a shell finds
/// out by sending the signal to itself.
fn ignores_hangup() -> bool {
    let shell = Command::new("sh").args(["-c", "kill -HUP $$"]).status();
    shell.is_ok_and(|status| status.success())
}

/// Waits for Ctrl-C, SIGTERM or the terminal's end.
async fn ended(signals: &mut [Signal]) {
    let signals = signals.iter_mut().map(|signal| Box::pin(signal.recv()));
    futures::future::select_all(signals).await;
}
