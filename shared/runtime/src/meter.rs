//! The time that an invocation waited for the store and the processor, and its retries, for the log line.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::interceptors::context::{
    BeforeSerializationInterceptorContextRef, BeforeTransmitInterceptorContextRef,
};
use aws_smithy_runtime_api::client::interceptors::{Intercept, dyn_dispatch_hint};
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::config_bag::{ConfigBag, Layer, Storable, StoreReplace};

/// Waiting times and calls since the invocation began. (An environment handles one invocation at a time.)
#[derive(Debug, Default)]
pub struct Meter {
    store: Mutex<Waiting>,
    processor: Mutex<Waiting>,
    calls: AtomicU32,
    attempts: AtomicU32,
}

/// The time during which at least one call was under way. Calls that overlap count once.
#[derive(Debug, Default)]
struct Waiting {
    running: u32,
    since: Option<Instant>,
    ended: Duration,
    /// The number of the invocation. A call that outlives its invocation must not count in the next one.
    invocation: u64,
}

/// A call that is under way. It ends when this is dropped.
#[derive(Debug)]
pub struct Call {
    meter: Arc<Meter>,
    of: fn(&Meter) -> &Mutex<Waiting>,
    invocation: u64,
}

impl Drop for Call {
    fn drop(&mut self) {
        locked((self.of)(&self.meter)).end(self.invocation, Instant::now());
    }
}

impl Waiting {
    fn reset(&mut self) {
        *self = Waiting { invocation: self.invocation + 1, ..Waiting::default() };
    }

    fn begin(&mut self, now: Instant) -> u64 {
        self.running += 1;
        self.since.get_or_insert(now);
        self.invocation
    }

    fn end(&mut self, invocation: u64, now: Instant) {
        if invocation != self.invocation {
            return;
        }
        self.running = self.running.saturating_sub(1);
        if self.running == 0
            && let Some(since) = self.since.take()
        {
            self.ended += now.saturating_duration_since(since);
        }
    }

    /// Whole milliseconds up to `now`.
    fn ms(&self, now: Instant) -> u64 {
        let running = self.since.map(|since| now.saturating_duration_since(since)).unwrap_or_default();
        u64::try_from((self.ended + running).as_millis()).unwrap_or(u64::MAX)
    }
}

fn locked(waiting: &Mutex<Waiting>) -> MutexGuard<'_, Waiting> {
    waiting.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Meter {
    /// Begins a new invocation.
    pub fn reset(&self) {
        locked(&self.store).reset();
        locked(&self.processor).reset();
        self.calls.store(0, Ordering::Relaxed);
        self.attempts.store(0, Ordering::Relaxed);
    }

    /// Begins a call of the processor.
    pub fn calls_processor(self: &Arc<Meter>) -> Call {
        self.call(|meter| &meter.processor)
    }

    fn calls_store(self: &Arc<Meter>) -> Call {
        self.call(|meter| &meter.store)
    }

    fn call(self: &Arc<Meter>, of: fn(&Meter) -> &Mutex<Waiting>) -> Call {
        let invocation = locked(of(self)).begin(Instant::now());
        Call { meter: self.clone(), of, invocation }
    }

    /// Milliseconds during which a call of the AWS SDK was under way.
    pub fn store_ms(&self) -> u64 {
        locked(&self.store).ms(Instant::now())
    }

    /// Milliseconds during which a call of the processor was under way.
    pub fn processor_ms(&self) -> u64 {
        locked(&self.processor).ms(Instant::now())
    }

    /// Attempts of the AWS SDK, without the first attempt of each call.
    pub fn retries(&self) -> u32 {
        self.attempts.load(Ordering::Relaxed).saturating_sub(self.calls.load(Ordering::Relaxed))
    }
}

/// An interceptor that counts the calls of an SDK client in a [`Meter`].
#[derive(Debug)]
pub struct Metering(pub(super) Arc<Meter>);

/// The SDK drops the call together with the operation's configuration, also when the operation is cancelled.
impl Storable for Call {
    type Storer = StoreReplace<Call>;
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
        layer.store_put(self.0.calls_store());
        config.push_layer(layer);
        Ok(())
    }

    fn read_before_attempt(
        &self, _: &BeforeTransmitInterceptorContextRef<'_>, _: &RuntimeComponents, _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        self.0.attempts.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn overlapping_calls_count_once_and_late_calls_do_not_count() {
        let began = Instant::now();
        let at = |ms| began + Duration::from_millis(ms);
        let mut waiting = Waiting::default();
        // 10 to 40 and 20 to 50 are 40 ms together; 60 to 65 are 5 more.
        let calls = [10, 20].map(|ms| waiting.begin(at(ms)));
        assert_eq!(waiting.ms(at(30)), 20);
        waiting.end(calls[0], at(40));
        waiting.end(calls[1], at(50));
        let third = waiting.begin(at(60));
        waiting.end(third, at(65));
        assert_eq!(waiting.ms(at(100)), 45);
        let outliving = waiting.begin(at(110));
        waiting.reset();
        let call = waiting.begin(at(200));
        waiting.end(outliving, at(203));
        waiting.end(call, at(207));
        assert_eq!(waiting.ms(at(300)), 7);
    }

    #[test]
    fn a_call_ends_when_it_is_dropped() {
        let meter = Arc::new(Meter::default());
        let (one, other) = (meter.calls_processor(), meter.calls_processor());
        assert_eq!(locked(&meter.processor).running, 2);
        drop((one, other));
        assert_eq!((locked(&meter.processor).running, locked(&meter.store).running), (0, 0));
    }
}
