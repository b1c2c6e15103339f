//! Commands in the project's folder, as developers type them, and a stack that `make` runs.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use serde_json::Value;

use crate::api::eventually::{Deadline, eventually};
use crate::client::{self, Client};
use crate::process::{self, Process};
use crate::stack::{binaries, fresh_folder};

/// Longest time of a target that builds, beside other tests.
const TARGET_LIMIT: Duration = Duration::from_secs(500);

/// Cargo's variables that a developer may have set; all others belong to the test's own process.
const CARGO_VARIABLES: [&str; 3] = ["CARGO_HOME", "CARGO_TARGET_DIR", "CARGO_BUILD_JOBS"];

/// The project's folder.
pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()
}

/// `program` in the project's folder, as from a terminal: without the variables of `make`, Cargo and nextest, which
/// would cause a rebuild, or a wait for the job slots of another `make`.
pub fn command(program: impl AsRef<std::ffi::OsStr>) -> Command {
    let mut command = Command::new(program);
    let theirs = |name: &str| {
        let cargo = name == "CARGO" || name.starts_with("CARGO_") || name == "LD_LIBRARY_PATH";
        cargo && !CARGO_VARIABLES.contains(&name) || name.starts_with("NEXTEST") || name.starts_with("MAKE")
    };
    for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_str().is_some_and(theirs)) {
        command.env_remove(name);
    }
    command.env_remove("MFLAGS").current_dir(root());
    command
}

/// Result of a command.
#[derive(Debug)]
pub struct Output {
    /// Whether the exit code is 0.
    pub succeeded: bool,
    /// Standard output.
    pub stdout: String,
    /// Standard error.
    pub stderr: String,
}

/// A shell function in the place of `curl`: prints each answer on a line and its status on the next.
pub const CURL: &str = r#"curl() { command curl --noproxy '*' -w '\n%{http_code}\n' "$@"; }"#;

impl Output {
    /// Status and body of each answer that [`CURL`] printed; the command must have succeeded.
    pub fn curl_answers(&self) -> Vec<(u16, Value)> {
        assert!(self.succeeded, "{self:#?}");
        let lines: Vec<&str> = self.stdout.lines().filter(|line| !line.is_empty()).collect();
        let answers = lines.chunks(2).map(|answer| {
            let status = answer.get(1).and_then(|status| status.parse().ok());
            (status.unwrap_or_else(|| panic!("{self:#?}")), serde_json::from_str(answer[0]).unwrap())
        });
        answers.collect()
    }
}

/// Runs the command to its end, within the time limit of a build.
pub async fn output(command: Command) -> Output {
    let mut command = tokio::process::Command::from(command);
    let output = tokio::time::timeout(TARGET_LIMIT, command.kill_on_drop(true).output()).await;
    let output = output.expect("the command ends in time").unwrap();
    let [stdout, stderr] = [output.stdout, output.stderr].map(|bytes| String::from_utf8(bytes).unwrap());
    Output { succeeded: output.status.success(), stdout, stderr }
}

/// A stack that `make` started in the background. Dropping it ends it.
pub struct MadeStack {
    data: PathBuf,
    description: Value,
    variables: Vec<(&'static str, String)>,
    /// Standard output of the target that started it.
    pub stdout: String,
    http: reqwest::Client,
}

impl MadeStack {
    /// Runs `make <target> DETACH=1` with its own folder and port and these variables.
    pub async fn start(target: &str, variables: Vec<(&'static str, String)>) -> MadeStack {
        let data = fresh_folder(&binaries());
        let (description, stdout, http) = (Value::Null, String::new(), client::http_within(TARGET_LIMIT));
        let mut stack = MadeStack { data, description, variables, stdout, http };
        stack.stdout = stack.make(&[target, "PORT=0", "DETACH=1"]).await.stdout;
        let description = fs::read_to_string(stack.data.join("dev.json")).unwrap();
        stack.description = serde_json::from_str(&description).unwrap();
        stack
    }

    /// Runs the same target while the stack runs; returns the result.
    pub async fn try_make(&self, target: &str) -> Output {
        self.run(&[target, "PORT=0", "DETACH=1"]).await
    }

    async fn run(&self, arguments: &[&str]) -> Output {
        let mut make = command("make");
        make.args(arguments).arg(format!("DATA={}", self.data.display()));
        make.args(self.variables.iter().map(|(name, value)| format!("{name}={value}")));
        output(make).await
    }

    /// Runs `make` with these arguments and this stack's variables; it must succeed.
    async fn make(&self, arguments: &[&str]) -> Output {
        let output = self.run(arguments).await;
        assert!(output.succeeded, "make {arguments:?}: {output:#?}\n{}", self.log());
        output
    }

    /// A field of `dev.json`.
    pub fn described(&self, name: &str) -> &str {
        self.description[name].as_str().unwrap()
    }

    /// The folder of its data.
    pub fn data(&self) -> &Path {
        &self.data
    }

    /// A client that is the stack's sandbox merchant.
    pub fn client(&self) -> Client {
        Client::new(&self.http, self.described("base_url"), self.described("api_key"))
    }

    /// Everything that the stack has printed.
    pub fn log(&self) -> String {
        fs::read_to_string(self.data.join("dev.log")).unwrap_or_default()
    }

    /// The stack's processes: each has its folder in a variable.
    pub fn processes(&self) -> Vec<Process> {
        process::with_variable("DATA", &self.data.display().to_string())
    }

    /// Runs `make stop`, and waits until no process of the stack is left.
    pub async fn stop(&self) {
        self.make(&["stop"]).await;
        self.is_gone().await;
    }

    /// Waits until no process of the stack is left.
    pub async fn is_gone(&self) {
        eventually("no process is left", Deadline::SOON, async || {
            let left = self.processes();
            if left.is_empty() { Ok(()) } else { Err(format!("{left:?}")) }
        })
        .await;
    }
}

impl Drop for MadeStack {
    fn drop(&mut self) {
        // A failed test did not stop it. Twice, for processes that were just starting.
        for _ in 0..2 {
            for process in self.processes() {
                process::signal(process.pid, "KILL");
            }
        }
        if std::thread::panicking() {
            eprintln!("the stack's data stays in {}; its log:\n{}", self.data.display(), self.log());
        } else {
            let _ = fs::remove_dir_all(&self.data);
        }
    }
}
