//! The signing keys of a deployment, and the secrets of endpoints that are derived from them. The table holds no secret.
//!
//! The keys are one secret in Secrets Manager: `{"current": "2", "1": "…", "2": "…"}`. New secrets are derived from the
//! current key. The others stay for the secrets that were derived from them.

use std::collections::BTreeMap;
use std::sync::Arc;

use aws_sdk_secretsmanager::error::ProvideErrorMetadata;
use aws_sdk_secretsmanager::{Client, config};
use base64::Engine as _;
use serde::Deserialize;
use spillway_domain::id;
use spillway_domain::time::Timestamp;
use spillway_domain::webhook::{KeyFingerprint, Secret, SecretSource, WebhookEndpoint};
use spillway_runtime::{SettingError, Start, missing_right};
use spillway_wire::Problem;
use tokio::sync::Mutex;

/// The variable that replaces the address of Secrets Manager.
const SECRETS_MANAGER: &str = "AWS_ENDPOINT_URL_SECRETS_MANAGER";
/// Milliseconds between two reads, however many requests and messages need one.
const READ_EVERY_MS: i64 = 1_000;
/// The fewest characters of a key: 32 letters and digits are 190 random bits.
const KEY_LENGTH_MIN: usize = 32;
/// Bytes of an endpoint's secret.
const SECRET_LENGTH: usize = 24;

/// Why there is no secret. Each is Spillway's own fault.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// Secrets Manager does not return the keys. The text is its reason.
    #[error("the signing keys can't be read: {0}")]
    Unavailable(String),
    /// The secret in Secrets Manager does not have the format of signing keys.
    #[error("the signing keys are malformed: {0}")]
    Malformed(&'static str),
    /// The secret was derived from a key that is not among the keys.
    #[error("no signing key has the fingerprint {0}")]
    Lost(KeyFingerprint),
    /// The endpoint has no secret that signs.
    #[error("the endpoint has no secret")]
    NoSecret,
}

impl From<KeyError> for Problem {
    fn from(error: KeyError) -> Problem {
        Problem::unavailable(error.to_string())
    }
}

/// The signing keys of the deployment. They are read when they are first needed, and kept.
pub struct SigningKeys {
    client: Client,
    secret_id: String,
    last: Mutex<Option<Read>>,
}

/// The time of a read, and its result.
type Read = (Timestamp, Result<Arc<Keys>, KeyError>);

impl SigningKeys {
    /// The keys in the secret that `WEBHOOK_KEYS` names. Errors if a variable is missing or wrong.
    pub fn new(start: &Start<'_>) -> Result<SigningKeys, SettingError> {
        let secret_id = start.environment.text("WEBHOOK_KEYS")?;
        let client = config::Builder::from(&start.service(SECRETS_MANAGER)?).interceptor(start.metering());
        Ok(SigningKeys { client: Client::from_conf(client.build()), secret_id, last: Mutex::default() })
    }

    /// The key from which new secrets are derived. It is read anew, so that a leaked key is no longer used once another
    /// one is current.
    pub async fn current(&self, now: Timestamp) -> Result<KeyFingerprint, KeyError> {
        Ok(self.keys(now, |_| false).await?.current.clone())
    }

    /// The text of the endpoint's newest secret, `whsec_…`.
    pub async fn newest(&self, endpoint: &WebhookEndpoint, now: Timestamp) -> Result<String, KeyError> {
        self.text(endpoint, endpoint.secrets.first().ok_or(KeyError::NoSecret)?, now).await
    }

    /// The text of a secret of this endpoint, `whsec_…`.
    pub async fn text(&self, endpoint: &WebhookEndpoint, secret: &Secret, now: Timestamp) -> Result<String, KeyError> {
        match &secret.source {
            SecretSource::Text(text) => Ok(text.clone()),
            SecretSource::Key(fingerprint) => {
                let keys = self.keys(now, |keys| keys.all.contains_key(fingerprint)).await?;
                let key = keys.all.get(fingerprint).ok_or_else(|| KeyError::Lost(fingerprint.clone()))?;
                Ok(derived(key, endpoint, secret.generation))
            }
        }
    }

    /// The texts of the secrets that sign at `now`. A secret whose key is lost is left out if another one signs.
    pub async fn signing(&self, endpoint: &WebhookEndpoint, now: Timestamp) -> Result<Vec<String>, KeyError> {
        let (mut texts, mut lost) = (Vec::new(), None);
        for secret in endpoint.signing(now) {
            match self.text(endpoint, secret, now).await {
                Ok(text) => texts.push(text),
                Err(error @ KeyError::Lost(_)) => {
                    tracing::error!(target: "spillway", endpoint = %endpoint.meta.id, generation = secret.generation, error = %error, "a webhook secret can't sign");
                    lost = Some(error);
                }
                Err(error) => return Err(error),
            }
        }
        if texts.is_empty() { Err(lost.unwrap_or(KeyError::NoSecret)) } else { Ok(texts) }
    }

    /// The keys as they were last read, if they suffice. Otherwise they are read again, at most once a second.
    async fn keys(&self, now: Timestamp, suffice: impl Fn(&Keys) -> bool) -> Result<Arc<Keys>, KeyError> {
        let mut last = self.last.lock().await;
        if let Some((at, read)) = &*last
            && (now.since(*at) < READ_EVERY_MS || read.as_ref().is_ok_and(|keys| suffice(keys)))
        {
            return read.clone();
        }
        let read = self.read().await.map(Arc::new);
        *last = Some((now, read.clone()));
        read
    }

    async fn read(&self) -> Result<Keys, KeyError> {
        let answer = self.client.get_secret_value().secret_id(&self.secret_id).send().await;
        let reason = |error: &_| missing_right(error).unwrap_or_else(|| code(error));
        let answer = answer.map_err(|error| KeyError::Unavailable(reason(&error)))?;
        Keys::parse(answer.secret_string().unwrap_or_default())
    }
}

fn code(error: &impl ProvideErrorMetadata) -> String {
    error.code().unwrap_or("no answer").to_owned()
}

/// The keys by their fingerprints. It has no `Debug`, because keys must not be logged.
struct Keys {
    current: KeyFingerprint,
    all: BTreeMap<KeyFingerprint, String>,
}

impl Keys {
    fn parse(text: &str) -> Result<Keys, KeyError> {
        #[derive(Deserialize)]
        struct Stored {
            current: String,
            #[serde(flatten)]
            keys: BTreeMap<String, String>,
        }
        // serde's own message could repeat a key.
        let stored: Stored = serde_json::from_str(text)
            .map_err(|_| KeyError::Malformed("they are no JSON object of strings with the member \"current\""))?;
        if stored.keys.values().any(|key| key.len() < KEY_LENGTH_MIN) {
            return Err(KeyError::Malformed("a key has fewer than 32 characters"));
        }
        let current = stored.keys.get(&stored.current).ok_or(KeyError::Malformed("\"current\" names no key"))?;
        let current = KeyFingerprint::of(current);
        let all = stored.keys.into_values().map(|key| (KeyFingerprint::of(&key), key)).collect();
        Ok(Keys { current, all })
    }
}

/// The text of the endpoint's secret of this generation. The owner is a part of it, so that an item that is copied to
/// another tenant has other secrets.
fn derived(key: &str, endpoint: &WebhookEndpoint, generation: u32) -> String {
    let (owner, id) = (endpoint.meta.owner.to_string(), endpoint.meta.id.as_str());
    let message = id::hash(&["spillway webhook secret", &owner, id, &generation.to_string()]);
    let mac = hmac_sha256::HMAC::mac(message, key);
    format!("whsec_{}", base64::engine::general_purpose::STANDARD.encode(&mac[..SECRET_LENGTH]))
}

#[cfg(test)]
mod tests;
