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
    /// The last read, and its time.
    last: Mutex<Option<(Timestamp, Result<Arc<Keys>, KeyError>)>>,
}

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
    pub async fn text(
        &self, endpoint: &WebhookEndpoint, secret: &Secret, now: Timestamp,
    ) -> Result<String, KeyError> {
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
mod tests {
    use spillway_domain::id::{EndpointId, MerchantId};
    use spillway_domain::idempotency::Fingerprint;
    use spillway_domain::resource::{Cause, Meta};
    use spillway_domain::tenant::{Mode, Tenant};

    use super::*;

    fn endpoint(merchant: char, mode: Mode, id: char) -> WebhookEndpoint {
        let long = |prefix: &str, last: char| format!("{prefix}_{}{last}", "0".repeat(25));
        let owner = Tenant { merchant: MerchantId::parse(&long("mer", merchant)).unwrap(), mode };
        let at = Timestamp::from_millis(0);
        let cause = Cause { request_id: "req-1".to_owned(), fingerprint: Fingerprint::of(b"{}"), at };
        let meta = Meta::new(EndpointId::parse(&long("we", id)).unwrap(), owner, 0, cause);
        WebhookEndpoint::new(meta, "https://example.com/".to_owned(), Vec::new(), KeyFingerprint::of("key"))
    }

    #[test]
    fn a_secret_depends_on_key_tenant_endpoint_and_generation() {
        let key = "k".repeat(64);
        let first = endpoint('0', Mode::Test, '0');
        // Computed with Python: base64(hmac(key, sha256 of the four parts, each behind its length in 8 bytes)[:24]).
        assert_eq!(derived(&key, &first, 1), "whsec_un2Oe1kr1KqWNxiTKecIF9vNDuDbo/H3");
        let mut all = vec![derived(&key, &first, 1), derived(&key, &first, 2), derived(&"l".repeat(64), &first, 1)];
        for (merchant, mode, id) in [('1', Mode::Test, '0'), ('0', Mode::Live, '0'), ('0', Mode::Test, '1')] {
            all.push(derived(&key, &endpoint(merchant, mode, id), 1));
        }
        all.sort();
        all.dedup();
        assert_eq!(all.len(), 6);
    }

    #[test]
    fn keys_are_found_by_their_fingerprints() {
        let (one, two) = ("1".repeat(64), "2".repeat(32));
        let keys = Keys::parse(&format!(r#"{{"current": "b", "a": "{one}", "b": "{two}"}}"#)).unwrap();
        assert!(keys.current == KeyFingerprint::of(&two) && keys.all.len() == 2);
        assert_eq!(keys.all.get(&KeyFingerprint::of(&one)), Some(&one));
    }

    #[test]
    fn malformed_keys_are_refused_and_not_repeated() {
        let key = "k".repeat(32);
        for wrong in [
            String::new(),
            "[]".to_owned(),
            format!(r#"{{"1": "{key}"}}"#),
            format!(r#"{{"current": "2", "1": "{key}"}}"#),
            format!(r#"{{"current": "1", "1": "{}"}}"#, &key[1..]),
            format!(r#"{{"current": "1", "1": "{key}", "2": ""}}"#),
            format!(r#"{{"current": "1", "1": ["{key}"]}}"#),
        ] {
            let error = Keys::parse(&wrong).err().unwrap_or_else(|| panic!("{wrong} is accepted"));
            assert!(!error.to_string().contains(&key[1..]), "{error}");
        }
    }
}
