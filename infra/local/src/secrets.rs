//! Stands in for Secrets Manager: `GetSecretValue` and `PutSecretValue` for the template's secrets. The values are stored in
//! a file. Each secret has one version.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use axum::{Json, Router};
use serde::Deserialize;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::arn;
use crate::roles::{Refusal, Roles};
use crate::template::Secret;

/// The path at which it answers, at the API's port.
pub const PATH: &str = "/_secrets";

/// The secrets. Cheap to clone.
#[derive(Clone)]
pub struct Secrets(Arc<Inner>);

struct Inner {
    region: String,
    file: PathBuf,
    values: Mutex<BTreeMap<String, String>>,
}

impl Secrets {
    /// The secrets in `file`, if it exists, and a new value for each secret of the template that is not there. Errors also
    /// if the file has another format.
    pub fn open(file: &Path, region: &str, secrets: &[Secret]) -> std::io::Result<Self> {
        let mut values: BTreeMap<String, String> = match std::fs::read(file) {
            Ok(text) => serde_json::from_slice(&text)?,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => BTreeMap::new(),
            Err(error) => return Err(error),
        };
        for secret in secrets {
            values.entry(secret.name.clone()).or_insert_with(|| generated(secret));
        }
        write(file, &values)?;
        Ok(Self(Arc::new(Inner { region: region.to_owned(), file: file.to_owned(), values: Mutex::new(values) })))
    }

    /// The routes of its API, which check functions' calls against their roles.
    pub fn routes(&self, roles: Roles) -> Router {
        let state = (self.clone(), roles);
        Router::new().route(PATH, post(answer)).route(&format!("{PATH}/"), post(answer)).with_state(state)
    }

    /// One call, of the secret with this name.
    fn call(&self, operation: &str, name: &str, value: Option<String>) -> Result<Value, Fault> {
        let mut values = self.0.values.lock().unwrap_or_else(PoisonError::into_inner);
        let present = values.get(name).ok_or(Fault::NotFound)?;
        let mut answer = json!({"ARN": arn::secret(&self.0.region, name), "Name": name, "VersionId": VERSION,
            "VersionStages": ["AWSCURRENT"]});
        match (operation, value) {
            ("GetSecretValue", None) => answer["SecretString"] = present.as_str().into(),
            ("PutSecretValue", Some(value)) => {
                let mut changed = values.clone();
                changed.insert(name.to_owned(), value);
                write(&self.0.file, &changed)?;
                *values = changed;
            }
            _ => return Err(Fault::Unknown),
        }
        Ok(answer)
    }
}

/// The id of the one version.
const VERSION: &str = "00000000-0000-0000-0000-000000000000";

fn write(file: &Path, values: &BTreeMap<String, String>) -> std::io::Result<()> {
    crate::files::write(file, &serde_json::to_vec_pretty(values)?)
}

fn generated(secret: &Secret) -> String {
    // Version 4 holds 122 random bits in 32 characters.
    let text: String = std::iter::repeat_with(|| Uuid::new_v4().simple().to_string())
        .take(secret.length.div_ceil(32))
        .collect::<String>()
        .chars()
        .take(secret.length)
        .collect();
    let mut value = secret.value.clone();
    value.insert(secret.key.clone(), text.into());
    Value::from(value).to_string()
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct Call {
    secret_id: String,
    secret_string: Option<String>,
    // A repeated PutSecretValue stores the same value once more.
    #[serde(rename = "ClientRequestToken")]
    _token: Option<String>,
}

async fn answer(
    State((secrets, roles)): State<(Secrets, Roles)>, headers: HeaderMap, body: Bytes,
) -> Result<Json<Value>, Fault> {
    let header = |name| headers.get(name).and_then(|value| value.to_str().ok());
    let operation = header("x-amz-target").and_then(|target| target.strip_prefix("secretsmanager."));
    let operation = operation.ok_or(Fault::Unknown)?;
    let call: Call = serde_json::from_slice(&body)?;
    let prefix = arn::secret(&secrets.0.region, "");
    let prefix = prefix.trim_end_matches("-000000");
    let name = call.secret_id.strip_prefix(prefix).map_or(&*call.secret_id, |name| name.trim_end_matches("-000000"));
    roles.check_secret_call(header("authorization"), operation, &arn::secret(&secrets.0.region, name))?;
    secrets.call(operation, name, call.secret_string).map(Json)
}

#[derive(Debug, thiserror::Error)]
enum Fault {
    #[error("Secrets Manager can't find the specified secret.")]
    NotFound,
    #[error("the runner answers to GetSecretValue and PutSecretValue with SecretString only")]
    Unknown,
    #[error(transparent)]
    AccessDenied(#[from] Refusal),
    #[error("the call can't be read: {0}")]
    Unreadable(#[from] serde_json::Error),
    #[error("the secrets can't be stored: {0}")]
    Io(#[from] std::io::Error),
}

impl IntoResponse for Fault {
    fn into_response(self) -> Response {
        let (status, kind) = match self {
            Self::NotFound => (StatusCode::BAD_REQUEST, "ResourceNotFoundException"),
            Self::Unknown => (StatusCode::BAD_REQUEST, "UnknownOperationException"),
            Self::AccessDenied(_) => (StatusCode::BAD_REQUEST, "AccessDeniedException"),
            Self::Unreadable(_) => (StatusCode::BAD_REQUEST, "InvalidRequestException"),
            Self::Io(_) => (StatusCode::INTERNAL_SERVER_ERROR, "InternalServiceError"),
        };
        (status, Json(json!({"__type": kind, "Message": self.to_string()}))).into_response()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::files::tests::Scratch;

    #[test]
    fn a_value_is_generated_once_and_can_be_replaced() {
        let scratch = Scratch::new();
        let file = scratch.file("secrets");
        let value = serde_json::from_str(r#"{"current": "1"}"#).unwrap();
        let secret = Secret { name: "keys".to_owned(), value, key: "1".to_owned(), length: 40 };
        let open = || Secrets::open(&file, "us-east-1", std::slice::from_ref(&secret)).unwrap();
        let read = |secrets: &Secrets| secrets.call("GetSecretValue", "keys", None).unwrap()["SecretString"].clone();
        let first = read(&open());
        let shown: Value = serde_json::from_str(first.as_str().unwrap()).unwrap();
        let text = shown["1"].as_str().unwrap();
        assert!(shown["current"] == "1" && text.len() == 40 && text.bytes().all(|it| it.is_ascii_alphanumeric()));
        assert_eq!(read(&open()), first);
        open().call("PutSecretValue", "keys", Some("other".to_owned())).unwrap();
        assert_eq!(read(&open()), "other");
        assert!(matches!(open().call("GetSecretValue", "missing", None), Err(Fault::NotFound)));
        assert!(matches!(open().call("DeleteSecret", "keys", None), Err(Fault::Unknown)));
    }
}
