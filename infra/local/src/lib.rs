//! The dev runner: runs a SAM template on one machine. README.md beside this crate describes what it runs.
//!
//! Each module stands in for one service: API Gateway ([`gateway`], [`plan_keys`]), Lambda ([`host`], [`invoke_api`]),
//! IAM ([`roles`]), DynamoDB and its stream ([`table`], [`stream`]), SQS and its triggers ([`queue`]) and the scheduler
//! ([`schedule`]). [`runner`] starts them.
//!
//! The runner is a program, [`run`]. The crate also exports [`Single`], which runs one function alone for measurements, and
//! [`template_document`] for tests that read a template.
#![allow(rustdoc::private_intra_doc_links, reason = "the page is for people who change the runner")]

mod arn;
mod clock;
mod files;
mod gateway;
mod host;
mod invoke;
mod invoke_api;
mod log;
mod metrics;
mod partial_answer;
mod plan_keys;
mod policy;
mod queue;
mod ready;
mod rebuild;
mod roles;
mod runner;
mod schedule;
mod secrets;
mod settings;
mod setup;
mod stream;
mod table;
mod template;
mod watch;

use std::process::ExitCode;
use std::time::Duration;

use tokio::signal::unix::{SignalKind, signal};

pub use host::Single;
pub use template::document as template_document;

use log::Log;
use runner::{Runner, RunnerError};
use settings::Settings;

/// How long the last lines may take to reach the terminal.
const LAST_LINES: Duration = Duration::from_secs(1);

/// The program: runs the stack that its environment describes until a signal ends it. Fails with one sentence.
pub async fn run() -> ExitCode {
    let (log, flush) = match Log::terminal() {
        Ok(opened) => opened,
        Err(error) => {
            eprintln!("{}: FUNCTION_LOG can't be opened: {error}", env!("CARGO_PKG_NAME"));
            return ExitCode::FAILURE;
        }
    };
    let result = serve(&log).await;
    flush.wait(LAST_LINES);
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{}: {error}", env!("CARGO_PKG_NAME"));
            ExitCode::FAILURE
        }
    }
}

async fn serve(log: &Log) -> Result<(), RunnerError> {
    let io = |error| RunnerError::Io { what: "the runner".to_owned(), error };
    // Not SIGHUP: the system ends the runner at it, or ignores it after `nohup`. The functions end with the runner.
    let mut interrupt = signal(SignalKind::interrupt()).map_err(io)?;
    let mut terminate = signal(SignalKind::terminate()).map_err(io)?;
    let ended = async {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
    };
    tokio::pin!(ended);

    let executable = std::env::current_exe().map_err(io)?;
    let beside = executable.parent().map(Into::into).unwrap_or_default();
    let settings = Settings::read(&|name| std::env::var(name).ok(), beside)?;
    let mut runner = tokio::select! {
        runner = Runner::start(&settings, log) => runner?,
        () = &mut ended => return Ok(()),
    };
    log.plain(&runner.banner);
    let result = tokio::select! {
        error = runner.failed() => Err(error),
        () = &mut ended => Ok(()),
    };
    runner.stop().await;
    result
}
