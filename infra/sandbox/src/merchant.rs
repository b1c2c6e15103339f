//! The sandbox merchant and its API key. The functions create both, as they do for every merchant.

use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use spillway_domain::api_key::Scope;

use crate::invoke::{Functions, InvokeError};

/// The name under which this program acts as an operator.
const OPERATOR: &str = "sandbox";

/// Attempts to create merchant and key. On a slow machine a function's first call can exceed the function's timeout.
const ATTEMPTS: u32 = 3;

/// The merchant and its key, stored so that a restart gives the same key.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Sandbox {
    /// `mer_…`
    pub merchant_id: String,
    /// `sk_test_…`, with every scope.
    pub api_key: String,
}

/// Why there is no sandbox merchant.
#[derive(Debug, thiserror::Error)]
pub enum SandboxError {
    #[error("{0} is not set: the dev runner sets it")]
    Variable(&'static str),
    #[error("{0} failed: {1}")]
    Function(&'static str, InvokeError),
    #[error("{0} returned {1}")]
    Answer(&'static str, Value),
    #[error(transparent)]
    Client(#[from] InvokeError),
    #[error("the sandbox merchant's key cannot be stored: {0}")]
    Io(#[from] std::io::Error),
}

/// Returns the merchant and its key: the key in `file` if it is still valid and has every scope, else a new one.
pub async fn prepare(functions: &Functions, file: &Path) -> Result<Sandbox, SandboxError> {
    let mut attempt = 1;
    loop {
        match try_prepare(functions, file).await {
            Err(SandboxError::Function(..)) if attempt < ATTEMPTS => attempt += 1,
            prepared => return prepared,
        }
    }
}

async fn try_prepare(functions: &Functions, file: &Path) -> Result<Sandbox, SandboxError> {
    let merchant_id = create_merchant(functions).await?;
    let stored = std::fs::read(file).ok();
    let stored = stored.and_then(|text| serde_json::from_slice::<Sandbox>(&text).ok());
    if let Some(stored) = stored.filter(|stored| stored.merchant_id == merchant_id)
        && is_valid(functions, &stored.api_key).await?
    {
        return Ok(stored);
    }
    let api_key = issue_key(functions, &merchant_id).await?;
    let sandbox = Sandbox { merchant_id, api_key };
    store(&sandbox, file)?;
    Ok(sandbox)
}

/// Creates the merchant, or finds it: the reference makes the call idempotent. Returns its id.
async fn create_merchant(functions: &Functions) -> Result<String, SandboxError> {
    let fees = json!({"fee_basis_points": 290, "fee_fixed": 30});
    let request = json!({
        "operator": OPERATOR,
        "reference": "sandbox",
        "name": "Sandbox",
        "plan": "high",
        "currencies": {"USD": fees, "EUR": fees, "JPY": fees, "KWD": fees},
        "settlement_delay_days": 2,
        "shards": 4,
    });
    text(call(functions, "create-merchant", &request).await?, "create-merchant", "id")
}

/// Whether the authorizer accepts the key and gives it every scope.
async fn is_valid(functions: &Functions, api_key: &str) -> Result<bool, SandboxError> {
    let request = json!({
        "type": "REQUEST",
        "methodArn": "arn:aws:execute-api:us-east-1:000000000000:local/api/GET/v1/health",
        "headers": {"Authorization": format!("Bearer {api_key}")},
    });
    match call(functions, "authenticate", &request).await {
        Ok(answer) => {
            let scopes = answer["context"]["scopes"].as_str().unwrap_or_default();
            Ok(Scope::ALL.iter().all(|scope| scopes.split(' ').any(|held| held == scope.as_str())))
        }
        // An authorizer refuses a caller by an error with exactly this text.
        Err(SandboxError::Function(_, InvokeError::Function(message))) if message == "Unauthorized" => Ok(false),
        Err(error) => Err(error),
    }
}

/// Issues a key with a new reference: the secret is returned only when a key is created.
async fn issue_key(functions: &Functions, merchant: &str) -> Result<String, SandboxError> {
    let request = json!({
        "operator": OPERATOR,
        "merchant": merchant,
        "mode": "test",
        "reference": format!("sandbox-{}", uuid::Uuid::new_v4().simple()),
        "scopes": Scope::ALL,
        "expires_at": null,
    });
    text(call(functions, "issue-api-key", &request).await?, "issue-api-key", "secret")
}

async fn call(functions: &Functions, function: &'static str, request: &Value) -> Result<Value, SandboxError> {
    functions.invoke(function, request).await.map_err(|error| SandboxError::Function(function, error))
}

fn text(answer: Value, function: &'static str, field: &str) -> Result<String, SandboxError> {
    let text = answer[field].as_str().map(str::to_owned);
    text.ok_or(SandboxError::Answer(function, answer))
}

/// Writes the file in one step. Only its owner may read it.
fn store(sandbox: &Sandbox, path: &Path) -> Result<(), SandboxError> {
    let draft = path.with_extension("new");
    let mut file = std::fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&draft)?;
    file.write_all(json!(sandbox).to_string().as_bytes())?;
    file.sync_all()?;
    Ok(std::fs::rename(&draft, path)?)
}
