//! The context of a handler: its parts, the effects, and the counts of the invocation.

use std::ops::Deref;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use aws_config::SdkConfig;
use aws_smithy_async::rt::sleep::{AsyncSleep as _, SharedAsyncSleep};
use aws_smithy_http_client::HttpClientError;
use aws_smithy_runtime_api::client::http::SharedHttpClient;
use spillway_domain::time::Timestamp;

use super::meter::Meter;
use super::metric::Metrics;
use super::sdk;
use super::settings::{Environment, Process, SettingError};

/// Returns the current time.
pub type Clock = Arc<dyn Fn() -> Timestamp + Send + Sync>;
/// Fills the slice with cryptographically secure random bytes.
pub type Random = Arc<dyn Fn(&mut [u8]) + Send + Sync>;

/// Clock, randomness, sleep and HTTP client. A test replaces them, so that a seed determines all that a function does.
#[derive(Clone)]
pub struct Effects {
    /// The clock.
    pub now: Clock,
    /// The source of random bytes.
    pub random: Random,
    /// The timer.
    pub sleep: SharedAsyncSleep,
    /// The HTTP client of all AWS clients.
    pub http_client: SharedHttpClient,
}

impl Effects {
    /// The effects of a deployed function. Errors if the HTTPS client that trusts only AWS can't be made.
    pub fn real() -> Result<Effects, HttpClientError> {
        Ok(Effects {
            now: Arc::new(|| {
                let since_1970 = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
                Timestamp::from_millis(i64::try_from(since_1970.as_millis()).unwrap_or(i64::MAX))
            }),
            random: Arc::new(|bytes| {
                // Without the operating system's randomness, keys and tokens are not safe. So this ends the
                // environment.
                if getrandom::fill(bytes).is_err() {
                    std::process::abort();
                }
            }),
            sleep: sdk::tokio_sleep(),
            http_client: sdk::https_client()?,
        })
    }
}

/// The inputs from which a function makes its [`Parts`] before its first event.
#[derive(Clone, Copy)]
pub struct Start<'a> {
    /// The environment variables.
    pub environment: Environment<'a>,
    /// Clock, randomness, sleep and HTTP client.
    pub effects: &'a Effects,
    pub(super) aws: &'a SdkConfig,
    pub(super) meter: &'a Arc<Meter>,
    /// The metrics of the invocation.
    pub metrics: &'a Arc<Metrics>,
}

/// The clients and settings that a function works with. Each part reads its own environment variables. So a function
/// does not start if one of them is missing, and the template gives it only these.
pub trait Parts: Sized {
    /// Makes the parts. Errors if a variable is missing or wrong.
    fn new(start: &Start<'_>) -> Result<Self, SettingError>;
}

/// The parts of a function that needs no client and no setting.
impl Parts for () {
    fn new(_: &Start<'_>) -> Result<(), SettingError> {
        Ok(())
    }
}

/// The clock, counts and parts of a handler. It dereferences to the parts: `context.store`.
pub struct Context<P> {
    /// Waiting times and retries, for the log line.
    pub meter: Arc<Meter>,
    /// The metrics of the invocation.
    pub metrics: Arc<Metrics>,
    /// The settings that every function reads.
    pub process: Process,
    effects: Effects,
    parts: P,
}

impl<P> Deref for Context<P> {
    type Target = P;

    fn deref(&self) -> &P {
        &self.parts
    }
}

impl<P: Parts> Context<P> {
    /// Reads the environment and makes the parts. `aws` is the configuration that all AWS clients share. Errors if a
    /// variable is missing or wrong. The parts are made first, because their variables make the most helpful errors.
    pub fn new(environment: Environment<'_>, effects: Effects, aws: &SdkConfig) -> Result<Context<P>, SettingError> {
        let meter = Arc::new(Meter::default());
        let metrics = Arc::new(Metrics::default());
        let parts = P::new(&Start { environment, effects: &effects, aws, meter: &meter, metrics: &metrics })?;
        Ok(Context { meter, metrics, process: Process::read(&environment)?, effects, parts })
    }
}

impl<P> Context<P> {
    /// Clock, randomness, sleep and HTTP client.
    pub fn effects(&self) -> &Effects {
        &self.effects
    }

    /// The current time.
    pub fn now(&self) -> Timestamp {
        (self.effects.now)()
    }

    /// Waits for this time.
    pub async fn sleep(&self, wait: Duration) {
        self.effects.sleep.sleep(wait).await;
    }

    /// Returns `N` cryptographically secure random bytes.
    pub fn random<const N: usize>(&self) -> [u8; N] {
        let mut bytes = [0; N];
        (self.effects.random)(&mut bytes);
        bytes
    }

    /// Returns a random number from `from` to `to`, both included.
    pub fn random_between(&self, from: u32, to: u32) -> u32 {
        let span = u64::from(to.saturating_sub(from)) + 1;
        from + u32::try_from(u64::from(u32::from_be_bytes(self.random())) % span).unwrap_or_default()
    }
}
