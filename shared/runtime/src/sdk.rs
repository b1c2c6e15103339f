//! The configuration that all clients of the AWS SDK share.

use std::time::Duration;

use aws_config::environment::{EnvironmentVariableCredentialsProvider, EnvironmentVariableRegionProvider};
use aws_config::meta::region::ProvideRegion as _;
use aws_config::retry::RetryConfig;
use aws_config::stalled_stream_protection::StalledStreamProtectionConfig;
use aws_config::timeout::TimeoutConfig;
use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_smithy_async::rt::sleep::{SharedAsyncSleep, TokioSleep};
use aws_smithy_http_client::HttpClientError;
use aws_smithy_http_client::tls::rustls_provider::CryptoMode;
use aws_smithy_http_client::tls::{Provider, TlsContext, TrustStore};
use aws_smithy_runtime_api::client::http::SharedHttpClient;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;

use super::context::{Effects, Start};
use super::meter::Metering;
use super::settings::SettingError;

/// Attempts of one operation, all within its deadline. Conflicts and throttles are retried too.
const ATTEMPTS_MAX: u32 = 8;

/// Returns the configuration that all clients share. Region and credentials are read from environment variables only,
/// never from files or the metadata service.
///
/// `aws_config::defaults(…).load()` would return the same. But it links every other source of credentials, with a
/// client of STS, and adds 0.9 MB to each function: docs/decisions/0001.
pub async fn config(effects: &Effects) -> SdkConfig {
    let credentials = SharedCredentialsProvider::new(EnvironmentVariableCredentialsProvider::new());
    config_with(EnvironmentVariableRegionProvider::new().region().await, credentials, effects)
}

/// The same with this region and these credentials, for tests, whose environment has neither.
pub fn config_with(region: Option<Region>, credentials: SharedCredentialsProvider, effects: &Effects) -> SdkConfig {
    let retries = RetryConfig::standard()
        .with_max_attempts(ATTEMPTS_MAX)
        .with_initial_backoff(Duration::from_millis(25))
        .with_max_backoff(Duration::from_millis(500));
    SdkConfig::builder()
        .behavior_version(BehaviorVersion::v2026_01_12())
        .region(region)
        .credentials_provider(credentials)
        .http_client(effects.http_client.clone())
        .sleep_impl(effects.sleep.clone())
        .retry_config(retries)
        // The timeouts of each client are shorter than this protection's grace period.
        .stalled_stream_protection(StalledStreamProtectionConfig::disabled())
        .build()
}

impl Start<'_> {
    /// Returns the configuration of one service's client. `address` names the variable that replaces the service's
    /// address. Errors if a variable is missing or wrong.
    pub fn service(&self, address: &'static str) -> Result<SdkConfig, SettingError> {
        if self.aws.region().is_none() {
            return Err(SettingError::Missing("AWS_REGION"));
        }
        let deadline = self.environment.store_deadline()?;
        let timeouts = TimeoutConfig::builder()
            .operation_timeout(deadline)
            // A socket that died while the environment was frozen must cost one attempt, not the operation.
            .operation_attempt_timeout(deadline / 3)
            .connect_timeout(deadline / 6)
            .build();
        let mut service = self.aws.to_builder().timeout_config(timeouts);
        let address = self.environment.service_address(address)?;
        service.set_endpoint_url(address.map(|url| url.as_str().trim_end_matches('/').to_owned()));
        Ok(service.build())
    }

    /// Returns an interceptor that counts the calls of a client in the invocation's meter.
    pub fn metering(&self) -> Metering {
        Metering(self.meter.clone())
    }
}

/// The root certificates of all AWS services. Reading the machine's own roots took nine tenths of a function's start:
/// docs/decisions/0006.
pub const AMAZON_ROOTS: &[u8] = include_bytes!("amazon_roots.pem");

/// Returns the HTTPS client of a deployed function, which trusts only AWS. `AWS_CA_BUNDLE`, the variable of AWS's own
/// tools, names a file with other roots instead. Errors if the client can't be made; there is no fallback to other roots.
/// A file that can't be read has no roots. Connections idle for 20 s are dropped: they may have died while the environment was
/// frozen.
pub(super) fn https_client() -> Result<SharedHttpClient, HttpClientError> {
    let bundle = std::env::var_os("AWS_CA_BUNDLE").map(|path| std::fs::read(path).unwrap_or_default());
    let trusted = TrustStore::empty().with_pem_certificate(bundle.as_deref().unwrap_or(AMAZON_ROOTS));
    let client = aws_smithy_http_client::Builder::new()
        .tls_provider(Provider::Rustls(CryptoMode::AwsLc))
        .tls_context(TlsContext::builder().with_trust_store(trusted).build()?)
        .pool_idle_timeout(Duration::from_secs(20));
    Ok(client.build_https())
}

/// AWS's message about a missing right, which names the principal, the action and the resource. None for any other
/// error, because its message may repeat request data.
pub fn missing_right(error: &impl ProvideErrorMetadata) -> Option<String> {
    let code = error.code().filter(|code| code.contains("AccessDenied"))?;
    Some(error.message().map_or_else(|| code.to_owned(), |message| format!("{code}: {message}")))
}

/// Returns tokio's timer.
pub(super) fn tokio_sleep() -> SharedAsyncSleep {
    SharedAsyncSleep::new(TokioSleep::new())
}
