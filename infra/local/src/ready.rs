//! The files of a running stack: `dev.json` and the functions' environment.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::Serialize;
use serde_json::{Map, Value};

use crate::files;
use crate::host;
use crate::template::Template;

/// The content of `dev.json`.
#[derive(Clone, Debug, Serialize)]
pub struct Ready {
    /// Where the REST API, Lambda's Invoke API and API Gateway's management API answer, as `http://127.0.0.1:9000`.
    pub api_url: String,
    pub dynamodb_url: String,
    pub sqs_url: String,
    /// The table's name.
    pub table: String,
    /// The file with the functions' variables, for `cargo lambda watch --env-file`.
    pub env_file: PathBuf,
    /// The runner's process.
    pub pid: u32,
    /// The fields that the setup adds.
    #[serde(flatten)]
    pub setup: Map<String, Value>,
}

impl Ready {
    /// Writes `dev.json` in one step.
    pub fn write(&self, data: &Path) -> std::io::Result<()> {
        let text = serde_json::to_string_pretty(self)?;
        files::write(&file(data), format!("{text}\n").as_bytes())
    }
}

/// The path of `dev.json`.
pub fn file(data: &Path) -> PathBuf {
    data.join("dev.json")
}

/// Writes the functions' variables as `NAME=value` lines. All functions share the file, so each sees the variables of
/// the others, and all have the same access key: the roles of functions that run with this file are not checked.
pub fn write_environment(
    path: &Path, template: &Template, region: &str, shared: &[(String, String)],
) -> std::io::Result<()> {
    let own = template.functions.iter().flat_map(|function| function.environment.clone());
    let account = host::environment(region).map(|(name, value)| (name.to_owned(), value));
    let all: BTreeMap<_, _> = own.chain(shared.iter().cloned()).chain(account).collect();
    let lines: String = all.iter().map(|(name, value)| format!("{name}={value}\n")).collect();
    files::write(path, lines.as_bytes())
}
