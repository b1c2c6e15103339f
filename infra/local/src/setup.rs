//! Runs the program that prepares the stack, for example by creating a developer's account in it.

use std::path::Path;
use std::process::Stdio;

use serde_json::{Map, Value};
use tokio::process::Command;

/// The output of the program.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Prepared {
    /// The JSON object on its standard output: fields for `dev.json`.
    pub fields: Map<String, Value>,
    /// Its standard error, a text for people.
    pub text: String,
}

/// Why the stack is not prepared.
#[derive(Debug, thiserror::Error)]
pub enum SetupError {
    #[error("SETUP is {program}, which cannot be run: {error}")]
    Start { program: String, error: std::io::Error },
    /// The last line of the program's standard error.
    #[error("the setup failed: {0}")]
    Failed(String),
    #[error("SETUP must print one JSON object, not {0:?}")]
    Output(String),
}

/// Runs `program` to its end. It gets this process's environment and two more variables: `STACK_URL`, where the API and
/// Lambda's Invoke API answer, as `http://127.0.0.1:9000`, and `STATE_DIR`, a folder that `FRESH=1` empties.
/// The program is killed when the future is dropped.
pub async fn run(program: &Path, stack_url: &str, state: &Path) -> Result<Prepared, SetupError> {
    let mut command = Command::new(program);
    command.env("STACK_URL", stack_url).env("STATE_DIR", state).stdin(Stdio::null()).kill_on_drop(true);
    let start = |error| SetupError::Start { program: program.display().to_string(), error };
    let output = command.output().await.map_err(start)?;
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    if !output.status.success() {
        let last = text.lines().rev().find(|line| !line.trim().is_empty());
        return Err(SetupError::Failed(last.map_or_else(|| output.status.to_string(), str::to_owned)));
    }
    let fields = serde_json::from_slice(&output.stdout)
        .map_err(|_| SetupError::Output(String::from_utf8_lossy(&output.stdout).into_owned()))?;
    Ok(Prepared { fields, text })
}

#[cfg(test)]
pub(crate) mod tests {
    use std::os::unix::fs::PermissionsExt as _;
    use std::path::PathBuf;

    use super::*;

    /// A new program with these commands for the shell.
    pub(crate) async fn program(script: &str) -> PathBuf {
        let path = std::env::temp_dir().join(format!("setup-{}", uuid::Uuid::new_v4()));
        // A shell writes the file. This process could still have it open for writing in a child of another test, and the
        // system would refuse to run it.
        let mut write = Command::new("sh");
        write.args(["-c", r#"printf '#!/bin/sh\n%s\n' "$1" >"$2""#, "sh", script]).arg(&path);
        assert!(write.status().await.unwrap().success());
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
        path
    }

    async fn run_script(script: &str) -> Result<Prepared, SetupError> {
        let program = program(script).await;
        let prepared = run(&program, "http://127.0.0.1:9000", Path::new("state")).await;
        std::fs::remove_file(program).unwrap();
        prepared
    }

    #[tokio::test]
    async fn fields_and_text_come_from_the_two_outputs() {
        let script = r#"echo "{\"url\":\"$STACK_URL/v1\",\"state\":\"$STATE_DIR\"}"; echo 'Welcome.' >&2"#;
        let prepared = run_script(script).await.unwrap();
        let fields = serde_json::json!({"url": "http://127.0.0.1:9000/v1", "state": "state"});
        assert_eq!((Value::Object(prepared.fields), prepared.text.as_str()), (fields, "Welcome.\n"));
    }

    #[tokio::test]
    async fn a_failed_setup_is_one_sentence() {
        let cases = [
            (
                "echo 'trying' >&2; echo 'there is no such function' >&2; exit 1",
                "the setup failed: there is no such function",
            ),
            ("exit 3", "the setup failed: exit status: 3"),
            ("echo '[]'", "SETUP must print one JSON object, not \"[]\\n\""),
        ];
        for (script, expected) in cases {
            assert_eq!(run_script(script).await.unwrap_err().to_string(), expected);
        }
        let missing = run(Path::new("/nowhere"), "", Path::new("")).await.unwrap_err().to_string();
        assert!(missing.starts_with("SETUP is /nowhere, which cannot be run: "), "{missing}");
    }
}
