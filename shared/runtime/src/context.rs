//! All that a handler is given.

use std::fmt;
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

/// Tells the time.
pub type Clock = Arc<dyn Fn() -> Timestamp + Send + Sync>;
/// Fills with random bytes, good enough for secrets.
pub type Random = Arc<dyn Fn(&mut [u8]) + Send + Sync>;

/// What comes from outside the program. Replacing these drives a whole function from a seed.
#[derive(Clone)]
pub struct Effects {
    /// The time.
    pub now: Clock,
    /// Randomness.
    pub random: Random,
    /// Waits.
    pub sleep: SharedAsyncSleep,
    /// What carries the SDK's requests.
    pub http_client: SharedHttpClient,
}

impl Effects {
    /// The real world; an error if there is no way to AWS that trusts AWS alone.
    pub fn real() -> Result<Effects, HttpClientError> {
        Ok(Effects {
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

/// What the parts of a function are made of, before its first event.
#[derive(Clone, Copy)]
pub struct Start<'a> {
    /// Its variables.
    pub environment: Environment<'a>,
    /// What comes from effects.
    pub effects: &'a Effects,
    pub(super) aws: &'a SdkConfig,
    pub(super) meter: &'a Arc<Meter>,
    /// The counts of the invocation.
    pub metrics: &'a Arc<Metrics>,
}

impl fmt::Debug for Start<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Start")
    }
}

/// The parts that a function works with. Each reads its variables: so a function starts only with all that it needs,
/// and the template gives it nothing else.
pub trait Parts: Sized {
    /// Makes them.
    fn new(start: &Start<'_>) -> Result<Self, SettingError>;
}

/// None.
impl Parts for () {
    fn new(_: &Start<'_>) -> Result<(), SettingError> {
        Ok(())
    }
}

/// A handler's clock and counts, and its own parts as if they were the context's: `context.store`.
pub struct Context<P> {
    /// Counts for the log line.
    pub meter: Arc<Meter>,
    /// What the invocation did, for whoever watches the deployment.
    pub metrics: Arc<Metrics>,
    /// What every function reads.
    pub process: Process,
    effects: Effects,
    parts: P,
}

impl<P> fmt::Debug for Context<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Context").field("process", &self.process).finish_non_exhaustive()
    }
}

impl<P> Deref for Context<P> {
    type Target = P;

    fn deref(&self) -> &P {
        &self.parts
    }
}

impl<P: Parts> Context<P> {
    /// Reads the environment; `aws` is what all clients of AWS have in common. The parts come first: of several
    /// variables that are missing, theirs tell most.
    pub fn new(environment: Environment<'_>, effects: Effects, aws: &SdkConfig) -> Result<Context<P>, SettingError> {
        let meter = Arc::new(Meter::default());
        let metrics = Arc::new(Metrics::default());
        let parts = P::new(&Start { environment, effects: &effects, aws, meter: &meter, metrics: &metrics })?;
        Ok(Context { meter, metrics, process: Process::read(&environment)?, effects, parts })
    }
}

impl<P> Context<P> {
    /// What comes from effects.
    pub fn effects(&self) -> &Effects {
        &self.effects
    }

    /// The time.
    pub fn now(&self) -> Timestamp {
        (self.effects.now)()
    }

    /// Waits.
    pub async fn sleep(&self, wait: Duration) {
        self.effects.sleep.sleep(wait).await;
    }

    /// Random bytes, good enough for secrets.
    pub fn random<const N: usize>(&self) -> [u8; N] {
        let mut bytes = [0; N];
        (self.effects.random)(&mut bytes);
        bytes
    }

    /// A random number from `from` up to `to`, both included.
    pub fn random_between(&self, from: u32, to: u32) -> u32 {
        let span = u64::from(to.saturating_sub(from)) + 1;
        from + u32::try_from(u64::from(u32::from_be_bytes(self.random())) % span).unwrap_or_default()
    }
}
