//! Starts a function's binary and logs its output.

use std::path::PathBuf;
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncRead, BufReader};
use tokio::process::Child;
use tokio::sync::watch;

use crate::log::Log;
use crate::template::Function;

/// Makes the command that starts a function's process with this token.
pub type Command = Arc<dyn Fn(&Function, &str) -> tokio::process::Command + Send + Sync>;

/// The standard error of a process.
pub(super) struct Output(watch::Receiver<Option<String>>);

impl Output {
    /// The last line, when the process has closed the stream or `patience` has passed.
    pub async fn last_error(&self, patience: Duration) -> Option<String> {
        let mut last = self.0.clone();
        let closed = async { while last.changed().await.is_ok() {} };
        let _ = tokio::time::timeout(patience, closed).await;
        self.0.borrow().clone()
    }
}

/// Starts the function's binary in `folder`. Its Runtime API is at `address`.
pub(super) fn command(folder: PathBuf, address: String, region: String, shared: Vec<(String, String)>) -> Command {
    Arc::new(move |function, token| {
        let mut command = tokio::process::Command::new(folder.join(&function.name));
        command.env_clear();
        for name in ["PATH", "RUST_BACKTRACE", "RUST_LOG"] {
            if let Ok(value) = std::env::var(name) {
                command.env(name, value);
            }
        }
        let name = &function.function_name;
        command
            .envs(&function.environment)
            .envs(shared.iter().map(|(name, value)| (name, value)))
            .envs(environment(&region))
            // The caller's name in each of its AWS calls: crate::roles.
            .env("AWS_ACCESS_KEY_ID", &function.name)
            .env("AWS_LAMBDA_RUNTIME_API", format!("http://{address}/_runtime/{token}"))
            .env("AWS_LAMBDA_FUNCTION_NAME", name)
            .env("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST")
            .env("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", function.memory.to_string())
            .env("AWS_LAMBDA_LOG_GROUP_NAME", format!("/aws/lambda/{name}"))
            .env("AWS_LAMBDA_LOG_STREAM_NAME", token)
            .env("AWS_LAMBDA_INITIALIZATION_TYPE", "on-demand");
        command
    })
}

/// The variables of region and credentials. The SDK must find all of them, or it looks for a metadata service that this
/// machine does not have.
pub fn environment(region: &str) -> [(&'static str, String); 7] {
    [
        ("AWS_REGION", region.to_owned()),
        ("AWS_DEFAULT_REGION", region.to_owned()),
        ("AWS_ACCESS_KEY_ID", "local".to_owned()),
        ("AWS_SECRET_ACCESS_KEY", "local".to_owned()),
        ("AWS_SESSION_TOKEN", "local".to_owned()),
        ("AWS_EC2_METADATA_DISABLED", "true".to_owned()),
        ("TZ", ":UTC".to_owned()),
    ]
}

/// Starts the process in a group of its own, so that only the runner receives the terminal's Ctrl-C. The process ends
/// with the runner.
pub(super) fn spawn(
    mut command: tokio::process::Command, function: &str, log: &Log,
) -> std::io::Result<(Child, Output)> {
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .process_group(0)
        .kill_on_drop(true)
        .spawn()?;
    let (sender, receiver) = watch::channel(None);
    if let Some(stdout) = child.stdout.take() {
        let (log, function) = (log.clone(), function.to_owned());
        tokio::spawn(lines(stdout, move |line| log.function(&function, &line)));
    }
    if let Some(stderr) = child.stderr.take() {
        let (log, function) = (log.clone(), function.to_owned());
        tokio::spawn(lines(stderr, move |line| {
            log.function(&function, &line);
            if !line.trim().is_empty() {
                sender.send_replace(Some(line));
            }
        }));
    }
    Ok((child, Output(receiver)))
}

async fn lines(from: impl AsyncRead + Unpin, mut show: impl FnMut(String)) {
    let mut reader = BufReader::new(from);
    let mut line = Vec::new();
    while let Ok(1..) = reader.read_until(b'\n', &mut line).await {
        let text = String::from_utf8_lossy(&line);
        show(text.trim_end_matches(['\r', '\n']).to_owned());
        line.clear();
    }
}
