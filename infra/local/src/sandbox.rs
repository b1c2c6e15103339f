//! The merchant and the API key that a new stack begins with.

use std::path::Path;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::files;
use crate::invoke::{Functions, InvokeError};

/// The sandbox merchant's own account of itself, kept so that a restart prints the same key.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Sandbox {
    /// `mer_…`
    pub merchant_id: String,
    /// `sk_test_…`, with every scope.
    pub api_key: String,
    /// What the key was issued under: the same again gives the same key without its secret.
    reference: String,
}

/// Why there is no sandbox merchant.
#[derive(Debug, thiserror::Error)]
pub enum SandboxError {
    #[error("{0} failed: {1}")]
    Function(&'static str, InvokeError),
    #[error("{0} answered {1}")]
    Answer(&'static str, String),
    #[error("the sandbox merchant's key cannot be kept: {0}")]
    Io(#[from] std::io::Error),
}

impl Sandbox {
    /// The merchant and its key: those in `file` where they are still valid, else new ones. The
    /// functions make both, as they do for every merchant.
    pub async fn prepare(functions: &Functions, file: &Path) -> Result<Self, SandboxError> {
        let merchant_id = create_merchant(functions).await?;
        let kept = std::fs::read(file).ok();
        let kept = kept.and_then(|text| serde_json::from_slice::<Self>(&text).ok());
        let kept = kept.filter(|kept| kept.merchant_id == merchant_id);
        let mut reference = kept.as_ref().map_or_else(|| "sandbox".to_owned(), |kept| kept.reference.clone());
        loop {
            match (issue_key(functions, &merchant_id, &reference).await?, &kept) {
                (Issued::Now(api_key), _) => {
                    let sandbox = Self { merchant_id, api_key, reference };
                    files::write(file, json!(sandbox).to_string().as_bytes())?;
                    return Ok(sandbox);
                }
                (Issued::Before, Some(kept)) => return Ok(kept.clone()),
                // Of no use: the file with its secret is gone, or it was revoked.
                (Issued::Before, None) | (Issued::AndRevoked, _) => {
                    reference = format!("sandbox-{}", uuid::Uuid::new_v4().simple())
                }
            }
        }
    }
}

/// Creates the sandbox merchant, which is harmless where it is there already, and gives its id.
pub async fn create_merchant(functions: &Functions) -> Result<String, SandboxError> {
    let fees = json!({"fee_basis_points": 290, "fee_fixed": 30});
    let request = json!({
        "reference": "sandbox",
        "name": "Sandbox",
        "plan": "high",
        "currencies": {"USD": fees, "EUR": fees, "JPY": fees, "KWD": fees},
        "settlement_delay_days": 2,
        "shards": 4,
    });
    let merchant = call(functions, "create-merchant", &request).await?;
    let id = merchant["id"].as_str().map(str::to_owned);
    id.ok_or_else(|| SandboxError::Answer("create-merchant", merchant.to_string()))
}

/// What became of a key.
enum Issued {
    /// This is its secret, told once only.
    Now(String),
    Before,
    AndRevoked,
}

async fn issue_key(functions: &Functions, merchant: &str, reference: &str) -> Result<Issued, SandboxError> {
    let request = json!({
        "merchant": merchant,
        "mode": "test",
        "reference": reference,
        "scopes": ["payments:write", "payments:read", "balance:read", "webhooks:write"],
        "expires_at": null,
    });
    let key = match call(functions, "issue-api-key", &request).await {
        Err(SandboxError::Function(_, InvokeError::Handled { message, .. })) if message.contains("was revoked") => {
            return Ok(Issued::AndRevoked);
        }
        other => other?,
    };
    if !key["id"].is_string() {
        return Err(SandboxError::Answer("issue-api-key", key.to_string()));
    }
    Ok(key["secret"].as_str().map_or(Issued::Before, |secret| Issued::Now(secret.to_owned())))
}

async fn call(functions: &Functions, function: &'static str, request: &Value) -> Result<Value, SandboxError> {
    let answer = functions.invoke(function, request.to_string().into_bytes()).await;
    let answer = answer.map_err(|error| SandboxError::Function(function, error))?;
    let text = || String::from_utf8_lossy(&answer).into_owned();
    serde_json::from_slice(&answer).map_err(|_| SandboxError::Answer(function, text()))
}
