use std::sync::atomic::{AtomicUsize, Ordering};

use aws_sdk_secretsmanager::config::{Credentials, Region, SharedCredentialsProvider};
use aws_smithy_async::rt::sleep::{SharedAsyncSleep, TokioSleep};
use aws_smithy_runtime_api::client::http::{HttpConnector, HttpConnectorFuture, SharedHttpConnector, http_client_fn};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::http::StatusCode;
use aws_smithy_types::body::SdkBody;
use futures::future::join_all;
use spillway_domain::id::{EndpointId, MerchantId};
use spillway_domain::idempotency::Fingerprint;
use spillway_domain::resource::{Cause, Meta};
use spillway_domain::tenant::{Mode, Tenant};
use spillway_runtime::settings::Environment;
use spillway_runtime::{Context, Effects, Parts, config_with};

use super::*;

impl Parts for SigningKeys {
    fn new(start: &Start<'_>) -> Result<SigningKeys, SettingError> {
        SigningKeys::new(start)
    }
}

/// Secrets Manager with one value, which counts the reads. Without a value it refuses them.
#[derive(Debug, Clone, Default)]
struct SecretsManager {
    value: Arc<std::sync::Mutex<Option<String>>>,
    reads: Arc<AtomicUsize>,
}

impl SecretsManager {
    fn set(&self, value: Option<&str>) {
        *self.value.lock().unwrap() = value.map(str::to_owned);
    }

    fn reads(&self) -> usize {
        self.reads.load(Ordering::Relaxed)
    }
}

impl HttpConnector for SecretsManager {
    fn call(&self, _: HttpRequest) -> HttpConnectorFuture {
        self.reads.fetch_add(1, Ordering::Relaxed);
        let (status, body) = match &*self.value.lock().unwrap() {
            Some(value) => (200, serde_json::json!({"SecretString": value})),
            None => (400, serde_json::json!({"__type": "ResourceNotFoundException"})),
        };
        let status = StatusCode::try_from(status).unwrap();
        HttpConnectorFuture::ready(Ok(HttpResponse::new(status, SdkBody::from(body.to_string()))))
    }
}

fn context(manager: &SecretsManager) -> Context<SigningKeys> {
    let environment = |name: &str| {
        let value = match name {
            "AWS_ENDPOINT_URL_SECRETS_MANAGER" => "https://secrets.test",
            "WEBHOOK_KEYS" => "table/webhook-keys",
            "STORE_DEADLINE_MS" => "3000",
            "STACK_NAME" => "acme",
            "LOG_LEVEL" => "info",
            _ => return None,
        };
        Some(value.to_owned())
    };
    let connector = SharedHttpConnector::new(manager.clone());
    let effects = Effects {
        now: Arc::new(|| at(0)),
        random: Arc::new(|bytes| bytes.fill(7)),
        sleep: SharedAsyncSleep::new(TokioSleep::new()),
        http_client: http_client_fn(move |_, _| connector.clone()),
    };
    let credentials = SharedCredentialsProvider::new(Credentials::new("key", "secret", None, None, "tests"));
    let aws = config_with(Some(Region::from_static("eu-central-1")), credentials, &effects);
    Context::new(Environment::new(&environment), effects, &aws).unwrap()
}

fn at(ms: i64) -> Timestamp {
    Timestamp::from_millis(ms)
}

fn endpoint(merchant: char, mode: Mode, id: char) -> WebhookEndpoint {
    let long = |prefix: &str, last: char| format!("{prefix}_{}{last}", "0".repeat(25));
    let owner = Tenant { merchant: MerchantId::parse(&long("mer", merchant)).unwrap(), mode };
    let at = Timestamp::from_millis(0);
    let cause = Cause { request_id: "req-1".to_owned(), trace: None, fingerprint: Fingerprint::of(b"{}"), at };
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

/// The keys `{"current": "1", "1": "…"}` with a key of this letter.
fn value(letter: &str) -> String {
    format!(r#"{{"current": "1", "1": "{}"}}"#, letter.repeat(64))
}

/// An endpoint whose secret is derived from the key of this letter.
fn endpoint_of(letter: &str) -> WebhookEndpoint {
    let key = SecretSource::Key(KeyFingerprint::of(&letter.repeat(64)));
    let mut endpoint = endpoint('0', Mode::Test, '0');
    endpoint.secrets[0].source = key;
    endpoint
}

#[tokio::test]
async fn known_keys_are_read_once() {
    let manager = SecretsManager::default();
    let keys = context(&manager);
    assert_eq!(manager.reads(), 0);
    manager.set(Some(&value("a")));
    let known = endpoint_of("a");
    for read in join_all((0..10).map(|ms| keys.signing(&known, at(ms)))).await {
        assert_eq!(read, Ok(vec![derived(&"a".repeat(64), &known, 1)]));
    }
    keys.newest(&known, at(1_000_000_000)).await.unwrap();
    assert_eq!(manager.reads(), 1);
}

#[tokio::test]
async fn an_unknown_key_is_read_again_once_a_second() {
    let manager = SecretsManager::default();
    let keys = context(&manager);
    manager.set(Some(&value("a")));
    let lost = Err(KeyError::Lost(KeyFingerprint::of(&"b".repeat(64))));
    for (ms, reads) in [(0, 1), (999, 1), (1_000, 2), (1_999, 2)] {
        assert_eq!((keys.signing(&endpoint_of("b"), at(ms)).await, manager.reads()), (lost.clone(), reads), "{ms}");
    }
    manager.set(Some(&value("b")));
    assert!(keys.signing(&endpoint_of("b"), at(2_000)).await.is_ok());
}

#[tokio::test]
async fn the_current_key_is_at_most_a_second_old() {
    let manager = SecretsManager::default();
    let keys = context(&manager);
    for (ms, letter, expected) in [(0, "a", "a"), (999, "b", "a"), (1_000, "b", "b")] {
        manager.set(Some(&value(letter)));
        assert_eq!(keys.current(at(ms)).await, Ok(KeyFingerprint::of(&expected.repeat(64))), "{ms}");
    }
}

#[tokio::test]
async fn a_failed_read_is_shared_for_a_second() {
    let manager = SecretsManager::default();
    let keys = context(&manager);
    let failed = Err(KeyError::Unavailable("ResourceNotFoundException".to_owned()));
    assert_eq!(keys.signing(&endpoint_of("a"), at(0)).await, failed);
    let reads = manager.reads();
    manager.set(Some(&value("a")));
    assert_eq!((keys.signing(&endpoint_of("a"), at(999)).await, manager.reads()), (failed, reads));
    assert!(keys.signing(&endpoint_of("a"), at(1_000)).await.is_ok());
}

#[tokio::test]
async fn a_secret_without_its_key_is_left_out_if_another_signs() {
    let manager = SecretsManager::default();
    let keys = context(&manager);
    manager.set(Some(&value("a")));
    let mut endpoint = endpoint_of("b");
    let older = Secret { source: SecretSource::Text("whsec_old".to_owned()), ..endpoint.secrets[0].clone() };
    endpoint.secrets.push(older);
    assert_eq!(keys.signing(&endpoint, at(0)).await, Ok(vec!["whsec_old".to_owned()]));
    // If no key can be read, none is left out: the merchant may know the newest secret only.
    manager.set(None);
    assert!(matches!(keys.signing(&endpoint, at(1_000)).await, Err(KeyError::Unavailable(_))));
    endpoint.secrets.clear();
    assert_eq!(keys.signing(&endpoint, at(0)).await, Err(KeyError::NoSecret));
}
