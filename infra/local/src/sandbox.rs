//! The merchant and the API key that a new stack begins with.

use std::path::Path;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use spillway_domain::api_key::Scope;

use crate::files;
use crate::invoke::{Functions, InvokeError};

/// What its key may do: all there is.
const SCOPES: &[Scope] = Scope::ALL;

/// Tries to have the functions make the merchant and its key. On a machine with little to give, the first can be too late
/// for the functions' own deadlines.
const TRIES: u32 = 3;

/// The sandbox merchant's own account of itself, kept so that a restart prints the same key.
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
    #[error("{0} failed: {1}")]
    Function(&'static str, InvokeError),
    #[error("{0} answered {1}")]
    Answer(&'static str, String),
    #[error("the sandbox merchant's key cannot be kept: {0}")]
    Io(#[from] std::io::Error),
}

impl Sandbox {
    /// The merchant and its key: the one in `file` where it still does all that a new one would, else a new one. The
    /// functions make both, as they do for every merchant.
    pub async fn prepare(functions: &Functions, file: &Path) -> Result<Self, SandboxError> {
        let mut tries = 1;
        loop {
            match Self::try_prepare(functions, file).await {
                Err(SandboxError::Function(..)) if tries < TRIES => tries += 1,
                prepared => return prepared,
            }
        }
    }

    async fn try_prepare(functions: &Functions, file: &Path) -> Result<Self, SandboxError> {
        let merchant_id = create_merchant(functions).await?;
        let kept = std::fs::read(file).ok();
        let kept = kept.and_then(|text| serde_json::from_slice::<Self>(&text).ok());
        if let Some(kept) = kept.filter(|kept| kept.merchant_id == merchant_id)
            && is_valid(functions, &kept.api_key).await?
        {
            return Ok(kept);
        }
        let api_key = issue_key(functions, &merchant_id).await?;
        let sandbox = Self { merchant_id, api_key };
        files::write(file, json!(sandbox).to_string().as_bytes())?;
        Ok(sandbox)
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

/// Whether the authorizer takes the key and says that it has every scope.
async fn is_valid(functions: &Functions, api_key: &str) -> Result<bool, SandboxError> {
    let request = json!({
        "type": "REQUEST",
        "methodArn": "arn:aws:execute-api:us-east-1:000000000000:local/api/GET/v1/health",
        "headers": {"Authorization": format!("Bearer {api_key}")},
    });
    match call(functions, "authenticate", &request).await {
        Ok(answer) => {
            let scopes = answer["context"]["scopes"].as_str().unwrap_or_default();
            Ok(SCOPES.iter().all(|scope| scopes.split(' ').any(|held| held == scope.as_str())))
        }
        Err(SandboxError::Function(_, error)) if error.says_unauthorized() => Ok(false),
        Err(error) => Err(error),
    }
}

/// Issues a key under a reference of its own: only then is its secret told.
async fn issue_key(functions: &Functions, merchant: &str) -> Result<String, SandboxError> {
    let request = json!({
        "merchant": merchant,
        "mode": "test",
        "reference": format!("sandbox-{}", uuid::Uuid::new_v4().simple()),
        "scopes": SCOPES,
        "expires_at": null,
    });
    let key = call(functions, "issue-api-key", &request).await?;
    let secret = key["secret"].as_str().map(str::to_owned);
    secret.ok_or_else(|| SandboxError::Answer("issue-api-key", key.to_string()))
}

async fn call(functions: &Functions, function: &'static str, request: &Value) -> Result<Value, SandboxError> {
    let answer = functions.invoke(function, request.to_string().into_bytes()).await;
    let answer = answer.map_err(|error| SandboxError::Function(function, error))?;
    let text = || String::from_utf8_lossy(&answer).into_owned();
    serde_json::from_slice(&answer).map_err(|_| SandboxError::Answer(function, text()))
}
