//! `cargo lambda` as developers use it: `watch` serves the functions, `invoke` calls one.

use std::fs::{self, File};
use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use serde_json::Value;

use crate::api::eventually::{Deadline, eventually};
use crate::client;
use crate::make;
use crate::process;
use crate::stack::free_port;

/// Folder of its program, below the project's.
pub const FOLDER: &str = ".local/tools/cargo-lambda/bin";
/// The make target that installs it.
const TARGET: &str = ".local/tools/cargo-lambda/.stamp";

/// `cargo lambda` in the project's folder. Fails the test if it is not installed.
fn command() -> Command {
    let program = make::root().join(FOLDER).join("cargo-lambda");
    assert!(program.exists(), "cargo lambda is not installed here; install it with: make {TARGET}");
    let mut command = make::command(program);
    command.arg("lambda");
    command
}

/// A free port for a [`Watch`].
pub fn port() -> u16 {
    // Fails before the build if it is not installed.
    drop(command());
    free_port()
}

/// Invokes the function `name` of the stack at `port` with the event in `file`; returns its answer or error. It uses
/// the default address of `cargo lambda invoke` if this machine has it.
pub async fn invoke(name: &str, port: u16, file: &Path) -> Value {
    let address = if TcpListener::bind("[::1]:0").is_ok() { None } else { Some("127.0.0.1") };
    invoke_at(address, name, port, file).await
}

/// Arguments of `cargo lambda invoke` for the stack at `port`.
pub fn address_of(port: u16) -> String {
    format!("--invoke-address 127.0.0.1 --invoke-port {port}")
}

async fn invoke_at(address: Option<&str>, name: &str, port: u16, file: &Path) -> Value {
    let mut invoke = command();
    invoke.args(["invoke", name, "--invoke-port", &port.to_string()]).arg("--data-file").arg(file);
    invoke.args(address.map(|address| ["--invoke-address", address]).into_iter().flatten());
    let output = make::output(invoke).await;
    assert!(output.succeeded, "{output:#?}");
    serde_json::from_str(&output.stdout).unwrap_or_else(|error| panic!("{error}: {output:#?}"))
}

/// A running `cargo lambda watch`. Dropping it ends it with its functions.
pub struct Watch {
    process: Child,
    port: u16,
}

impl Watch {
    /// Serves every function with the environment in `env_file`, and waits until it listens. It prints to `log`.
    pub async fn start(env_file: &Path, log: &Path) -> Watch {
        let port = port();
        let printed = File::create(log).unwrap();
        let mut watch = command();
        watch.args(["watch", "--invoke-address", "127.0.0.1", "--invoke-port", &port.to_string()]);
        watch.arg("--env-file").arg(env_file);
        watch.stdin(Stdio::null()).stdout(printed.try_clone().unwrap()).stderr(printed);
        let mut watch = Watch { process: watch.spawn().unwrap(), port };
        let (http, url) = (client::http(), format!("http://127.0.0.1:{port}"));
        eventually("cargo lambda watch listens", Deadline::SOON, async || {
            let ended = watch.process.try_wait().unwrap();
            assert!(ended.is_none(), "it ended: {}", fs::read_to_string(log).unwrap());
            http.get(&url).send().await.map_err(|error| error.to_string())
        })
        .await;
        watch
    }

    /// Invokes the function `name` with the event in `file`; returns its answer.
    pub async fn invoke(&self, name: &str, file: &Path) -> Value {
        invoke_at(Some("127.0.0.1"), name, self.port, file).await
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        // It ends its functions only if it is asked to end.
        process::signal(self.process.id(), "TERM");
        let _ = self.process.wait();
    }
}
