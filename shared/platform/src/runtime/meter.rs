//! How long an invocation waited for whom, and how often it had to try: for its log line.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::interceptors::context::{
    BeforeSerializationInterceptorContextRef, BeforeTransmitInterceptorContextRef, FinalizerInterceptorContextRef,
};
use aws_smithy_runtime_api::client::interceptors::{Intercept, dyn_dispatch_hint};
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::config_bag::{ConfigBag, Layer, Storable, StoreReplace};

/// Counts since the invocation began. (An environment handles one invocation at a time.)
#[derive(Debug, Default)]
pub struct Meter {
    store_us: AtomicU64,
    processor_us: AtomicU64,
    calls: AtomicU32,
    attempts: AtomicU32,
}

impl Meter {
    /// Begins a new invocation.
    pub fn reset(&self) {
        self.store_us.store(0, Ordering::Relaxed);
        self.processor_us.store(0, Ordering::Relaxed);
        self.calls.store(0, Ordering::Relaxed);
        self.attempts.store(0, Ordering::Relaxed);
    }

    /// Notes a wait for the processor.
    pub fn waited_for_processor(&self, wait: Duration) {
        add(&self.processor_us, wait);
    }

    /// Milliseconds in calls of the SDK (those that ran at once count each).
    pub fn store_ms(&self) -> u64 {
        self.store_us.load(Ordering::Relaxed) / 1000
    }

    /// Milliseconds in calls of the processor.
    pub fn processor_ms(&self) -> u64 {
        self.processor_us.load(Ordering::Relaxed) / 1000
    }

    /// Attempts of the SDK beyond the first of each call.
    pub fn retries(&self) -> u32 {
        self.attempts.load(Ordering::Relaxed).saturating_sub(self.calls.load(Ordering::Relaxed))
    }
}

fn add(sum_us: &AtomicU64, wait: Duration) {
    sum_us.fetch_add(u64::try_from(wait.as_micros()).unwrap_or(u64::MAX), Ordering::Relaxed);
}

/// Hangs a [`Meter`] into an SDK client.
#[derive(Debug)]
pub(super) struct Metering(pub(super) std::sync::Arc<Meter>);

#[derive(Debug)]
struct Began(Instant);

impl Storable for Began {
    type Storer = StoreReplace<Began>;
}

#[dyn_dispatch_hint]
impl Intercept for Metering {
    fn name(&self) -> &'static str {
        "Metering"
    }

    fn read_before_execution(
        &self, _: &BeforeSerializationInterceptorContextRef<'_>, config: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        self.0.calls.fetch_add(1, Ordering::Relaxed);
        let mut layer = Layer::new("Metering");
        layer.store_put(Began(Instant::now()));
        config.push_layer(layer);
        Ok(())
    }

    fn read_before_attempt(
        &self, _: &BeforeTransmitInterceptorContextRef<'_>, _: &RuntimeComponents, _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        self.0.attempts.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }

    fn read_after_execution(
        &self, _: &FinalizerInterceptorContextRef<'_>, _: &RuntimeComponents, config: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        if let Some(began) = config.load::<Began>() {
            add(&self.0.store_us, began.0.elapsed());
        }
        Ok(())
    }
}
