//! All that a handler is given.

use std::fmt;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use aws_sdk_dynamodb::config::{AsyncSleep as _, SharedAsyncSleep, SharedHttpClient};
use aws_smithy_http_client::HttpClientError;
use spillway_domain::id::MerchantId;
use spillway_domain::merchant::Merchant;
use spillway_domain::time::Timestamp;

use super::cache::Cache;
use super::meter::Meter;
use super::metric::Metrics;
use super::sdk::{self, Clients};
use super::settings::Settings;
use crate::processor::Processors;
use crate::store::{Store, StoreError};
use crate::webhook::Sender;
use crate::work::Queues;

/// Tells the time.
pub type Clock = Arc<dyn Fn() -> Timestamp + Send + Sync>;
/// Fills with random bytes, good enough for secrets.
pub type Random = Arc<dyn Fn(&mut [u8]) + Send + Sync>;

/// What comes from outside the program. Replacing these drives a whole function from a seed.
#[derive(Clone)]
pub struct Outside {
    /// The time.
    pub now: Clock,
    /// Randomness.
    pub random: Random,
    /// Waits.
    pub sleep: SharedAsyncSleep,
    /// What carries the SDK's requests.
    pub http_client: SharedHttpClient,
}

impl Outside {
    /// The real world; an error if there is no way to AWS that trusts AWS alone.
    pub fn real() -> Result<Outside, HttpClientError> {
        Ok(Outside {
            now: Arc::new(|| {
                let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
                Timestamp::from_millis(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
            }),
            random: Arc::new(|bytes| {
                // Without the operating system's randomness no key and no token is safe: end this environment.
                if getrandom::fill(bytes).is_err() {
                    std::process::abort();
                }
            }),
            sleep: sdk::tokio_sleep(),
            http_client: sdk::https_client()?,
        })
    }
}

/// A handler's clients, clock and settings. What not every function needs is made when it is first used.
pub struct Context {
    /// The settings.
    pub settings: Settings,
    /// The table.
    pub store: Store,
    /// The processors.
    pub processors: Processors,
    /// Counts for the log line.
    pub meter: Arc<Meter>,
    /// What the invocation did, for whoever watches the deployment.
    pub metrics: Arc<Metrics>,
    outside: Outside,
    clients: Clients,
    queues: OnceLock<Queues>,
    sender: OnceLock<Sender>,
    gateway: OnceLock<aws_sdk_apigateway::Client>,
    merchants: Cache<MerchantId, Arc<Merchant>>,
}

impl fmt::Debug for Context {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Context").field("settings", &self.settings).finish_non_exhaustive()
    }
}

impl Context {
    /// Builds what every function needs.
    pub fn new(settings: Settings, outside: Outside) -> Context {
        let meter = Arc::new(Meter::default());
        let clients = Clients::new(&settings, &outside, meter.clone());
        let metrics = Arc::new(Metrics::default());
        let store = Store::new(clients.dynamodb.clone(), &settings, &outside, metrics.clone());
        Context {
            processors: Processors::new(store.clone(), &settings, &outside),
            merchants: Cache::new(settings.cache_s),
            store,
            meter,
            metrics,
            clients,
            queues: OnceLock::new(),
            sender: OnceLock::new(),
            gateway: OnceLock::new(),
            outside,
            settings,
        }
    }

    /// The time.
    pub fn now(&self) -> Timestamp {
        (self.outside.now)()
    }

    /// Waits.
    pub async fn sleep(&self, wait: Duration) {
        self.outside.sleep.sleep(wait).await;
    }

    /// Random bytes, good enough for secrets.
    pub fn random<const N: usize>(&self) -> [u8; N] {
        let mut bytes = [0; N];
        (self.outside.random)(&mut bytes);
        bytes
    }

    /// A random number from `from` up to `to`, both included.
    pub fn random_between(&self, from: u32, to: u32) -> u32 {
        let span = u64::from(to.saturating_sub(from)) + 1;
        from + u32::try_from(u64::from(u32::from_be_bytes(self.random())) % span).unwrap_or_default()
    }

    /// The queues.
    pub fn queues(&self) -> &Queues {
        self.queues.get_or_init(|| Queues::new(self.clients.sqs(&self.settings), &self.settings))
    }

    /// What posts webhooks.
    pub fn sender(&self) -> &Sender {
        self.sender.get_or_init(|| Sender::new(&self.settings))
    }

    /// API Gateway's management, which keeps the merchants' plan keys.
    pub fn gateway(&self) -> &aws_sdk_apigateway::Client {
        self.gateway.get_or_init(|| self.clients.api_gateway(&self.settings))
    }

    /// A merchant as it was at most [`Settings::cache_s`] ago. None if there is none.
    pub async fn merchant(&self, id: &MerchantId) -> Result<Option<Arc<Merchant>>, StoreError> {
        if let Some(known) = self.merchants.get(id, self.now()) {
            return Ok(Some(known));
        }
        self.merchant_now(id).await
    }

    /// A merchant as it is now, read strongly. None if there is none.
    pub async fn merchant_now(&self, id: &MerchantId) -> Result<Option<Arc<Merchant>>, StoreError> {
        let now = self.now();
        let read = self.store.merchant(id).await?.map(Arc::new);
        if let Some(merchant) = &read {
            self.merchants.put(id.clone(), merchant.clone(), now);
        }
        Ok(read)
    }
}
