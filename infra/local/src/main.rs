//! `make dev`: see the library.

use std::process::ExitCode;

use spillway_local::log::Log;
use spillway_local::runner::{Runner, RunnerError};
use spillway_local::settings::Settings;
use tokio::signal::unix::{Signal, SignalKind, signal};

#[tokio::main]
async fn main() -> ExitCode {
    match run().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("spillway-local: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn run() -> Result<(), RunnerError> {
    let io = |error| RunnerError::Io { what: "the runner".to_owned(), error };
    let signals = [SignalKind::interrupt(), SignalKind::terminate(), SignalKind::hangup()];
    let [interrupt, terminate, hangup] = signals.map(|kind| signal(kind).map_err(io));
    let mut end = (interrupt?, terminate?, hangup?);

    let executable = std::env::current_exe().map_err(io)?;
    let beside = executable.parent().map(Into::into).unwrap_or_default();
    let settings = Settings::read(&|name| std::env::var(name).ok(), beside)?;
    let log = Log::terminal();
    let mut runner = tokio::select! {
        runner = Runner::start(&settings, &log) => runner?,
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

/// Waits for Ctrl-C, SIGTERM or the terminal's end.
async fn ended((interrupt, terminate, hangup): &mut (Signal, Signal, Signal)) {
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
        _ = hangup.recv() => {}
    }
}
