//! What a ready stack tells: `dev.json` for scripts, an environment file, a banner for people.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::files;
use crate::host;
use crate::sandbox::Sandbox;
use crate::template::Template;

/// The content of `dev.json`.
#[derive(Clone, Debug, Serialize)]
pub struct Ready {
    /// As `http://127.0.0.1:9000/v1`.
    pub base_url: String,
    /// The sandbox merchant's key.
    pub api_key: String,
    pub merchant_id: String,
    pub dynamodb_url: String,
    pub sqs_url: String,
    pub table: String,
    /// What the functions see, for `cargo lambda watch --env-file`.
    pub env_file: PathBuf,
    /// The runner's process.
    pub pid: u32,
}

impl Ready {
    /// Writes `dev.json` in one step.
    pub fn write(&self, data: &Path) -> std::io::Result<()> {
        let text = serde_json::to_string_pretty(self)?;
        files::write(&file(data), format!("{text}\n").as_bytes())
    }

    /// What a person sees first.
    pub fn banner(&self) -> String {
        let Self { base_url, api_key, merchant_id, .. } = self;
        let key = format!("-H 'Authorization: Bearer {api_key}'");
        format!(
            r#"
Spillway is ready.

  Base URL  {base_url}
  API key   {api_key}  (test mode, merchant {merchant_id})

Charge a card, look at the payment a second later, then at the balance:

P=$(curl -sS {base_url}/payments {key} -H 'Content-Type: application/json' -H 'Idempotency-Key: order-1001' -d '{{"amount":1250,"currency":"USD","token":"tok_visa"}}'); echo "$P"
curl -sS {base_url}/payments/$(echo "$P" | grep -o 'pay_[0-9A-Za-z]*' | head -n 1) {key}
curl -sS {base_url}/balance {key}

Requests, messages and retries follow, one line each. Ctrl-C ends everything.
"#
        )
    }
}

/// The URL and key of a stack whose parts are known.
pub fn describe(
    api_url: &str, dynamodb_url: String, sqs_url: String, sandbox: Sandbox, template: &Template, env_file: PathBuf,
) -> Ready {
    Ready {
        base_url: format!("{api_url}/v1"),
        api_key: sandbox.api_key,
        merchant_id: sandbox.merchant_id,
        dynamodb_url,
        sqs_url,
        table: template.table.name.clone(),
        env_file,
        pid: std::process::id(),
    }
}

/// Where `dev.json` is.
pub fn file(data: &Path) -> PathBuf {
    data.join("dev.json")
}

/// Writes what the functions see as `NAME=value` lines. There is one file for all functions, so
/// each sees the others' variables too, and nobody can tell whose a call is: functions that are started with it (by
/// `cargo lambda watch`) are not held against their roles.
pub fn write_environment(
    path: &Path, template: &Template, region: &str, shared: &[(String, String)],
) -> std::io::Result<()> {
    let own = template.functions.iter().flat_map(|function| function.environment.clone());
    let account = host::environment(region).map(|(name, value)| (name.to_owned(), value));
    let all: BTreeMap<_, _> = own.chain(shared.iter().cloned()).chain(account).collect();
    let lines: String = all.iter().map(|(name, value)| format!("{name}={value}\n")).collect();
    files::write(path, lines.as_bytes())
}
