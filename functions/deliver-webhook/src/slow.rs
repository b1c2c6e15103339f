//! Slow attempts. While an attempt waits for a merchant's server, the process has room for other messages. An attempt
//! that is slow makes its endpoint down, so that other deliveries to it do not wait for the same server.

use std::pin::pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use futures::future::{Either, join, select};
use spillway_domain::time::Timestamp;
use spillway_domain::webhook::{SLOW_AFTER_MS, WebhookEndpoint};
use spillway_store::StoreError;

use crate::Context;

/// The time of an attempt after which the process counts as waiting.
const WAITING_AFTER: Duration = Duration::from_millis(200);
/// Milliseconds for which an attempt stays claimed beyond its own deadline.
const CLAIM_MARGIN_MS: i64 = 5_000;

/// A claimed probe: the only attempt at an endpoint that is down.
#[derive(Debug, Clone, Copy)]
pub struct Probe {
    /// The time of the next probe, if this one fails.
    pub next: Timestamp,
}

/// The number of attempts of this process that wait for a merchant's server.
#[derive(Debug, Default)]
pub struct Waiting(AtomicUsize);

impl Waiting {
    /// Whether an attempt waits.
    pub fn any(&self) -> bool {
        self.0.load(Ordering::Relaxed) > 0
    }

    fn begin(&self) -> impl Drop {
        struct Ends<'a>(&'a Waiting);
        impl Drop for Ends<'_> {
            fn drop(&mut self) {
                self.0.0.fetch_sub(1, Ordering::Relaxed);
            }
        }
        self.0.fetch_add(1, Ordering::Relaxed);
        Ends(self)
    }
}

/// Milliseconds for which an attempt is claimed.
pub fn claim_ms(context: &Context) -> i64 {
    i64::from(context.webhooks.deadline_ms) + CLAIM_MARGIN_MS
}

/// Claims the next probe of an endpoint. None if another delivery has claimed it, or if the endpoint works again.
pub async fn claim_probe(context: &Context, endpoint: &WebhookEndpoint) -> Result<Option<Probe>, StoreError> {
    let next = endpoint.next_probe(claim_ms(context), context.now());
    Ok(context.store.claim_probe(endpoint, next).await?.then_some(Probe { next }))
}

/// Waits for an attempt. If the attempt is slow and is no probe, it becomes one, unless another attempt is. Returns its
/// result and the probe that it is. The attempt always runs to its end.
pub async fn watched<T>(
    context: &Context, endpoint: &WebhookEndpoint, probe: Option<Probe>, attempt: impl Future<Output = T>,
) -> (T, Option<Probe>) {
    let attempt = pin!(attempt);
    let attempt = match select(attempt, pin!(context.sleep(WAITING_AFTER))).await {
        Either::Left((done, _)) => return (done, probe),
        Either::Right(((), attempt)) => attempt,
    };
    let _waiting = context.waiting.begin();
    let slow = pin!(context.sleep(Duration::from_millis(SLOW_AFTER_MS).saturating_sub(WAITING_AFTER)));
    let attempt = match select(attempt, slow).await {
        Either::Left((done, _)) => return (done, probe),
        Either::Right(((), attempt)) => attempt,
    };
    let claim = async {
        match probe {
            Some(probe) => Some(probe),
            None => claim_probe(context, endpoint).await.unwrap_or_else(|error| {
                // The next slow attempt tries again.
                tracing::warn!(target: "spillway", endpoint = %endpoint.meta.id, %error, "the endpoint is slow, and this was not stored");
                None
            }),
        }
    };
    join(attempt, claim).await
}
