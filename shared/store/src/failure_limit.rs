//! The buckets of failed payments: one item for each card and each customer that had a failed payment of late.

use futures::future::try_join_all;
use serde::{Deserialize, Serialize};
use spillway_domain::failure_limit::FailureLimit;
use spillway_domain::id::PayerId;
use spillway_domain::tenant::Tenant;
use spillway_domain::time::Timestamp;
use spillway_runtime::{SettingError, Start};

use super::commit::Commit;
use super::edit::Edit;
use super::expression::Test;
use super::{EXPIRES_AT, Item, Store, StoreError, TableKey, keys, number, text, to_item};

/// The attribute of a bucket.
const FULL_AT: &str = "full_at";

#[derive(Serialize, Deserialize)]
struct StoredBucket {
    full_at: Timestamp,
}

/// A bucket as read.
pub(super) struct Bucket {
    key: TableKey,
    /// None if there is no item.
    full_at: Option<Timestamp>,
}

impl Store {
    /// The same, for functions that limit failed payments to `FAILED_PAYMENTS_MAX` for each card and each customer. One
    /// more is allowed after each `FAILED_PAYMENTS_REFILL_SECONDS`.
    pub fn with_failure_limit(self, start: &Start<'_>) -> Result<Store, SettingError> {
        let max = start.environment.number("FAILED_PAYMENTS_MAX")?;
        let refill_s = start.environment.number("FAILED_PAYMENTS_REFILL_SECONDS")?;
        Ok(Store { failure_limit: FailureLimit { max, refill_s }, ..self })
    }

    /// The time from which payments of these payers are accepted again, read strongly. None if they are accepted now.
    pub async fn refused_until(&self, tenant: &Tenant, payers: &[PayerId]) -> Result<Option<Timestamp>, StoreError> {
        let (buckets, now) = (self.buckets(tenant, payers).await?, (self.now)());
        Ok(buckets.iter().filter_map(|bucket| self.failure_limit.refused_until(bucket.full_at, now)).max())
    }

    /// The buckets of these payers. Empty without a limit.
    pub(super) async fn buckets(&self, tenant: &Tenant, payers: &[PayerId]) -> Result<Vec<Bucket>, StoreError> {
        let keys = payers.iter().filter(|_| self.failure_limit.is_set()).map(|payer| keys::failures(tenant, payer));
        try_join_all(keys.map(async |key| {
            // An expired bucket is full. It may still be there, so its next edit must know it.
            let item = self.get_even_if_expired(&key).await?;
            let stored: Option<StoredBucket> = item.map(|item| self.read(item)).transpose()?;
            Ok(Bucket { key, full_at: stored.map(|stored| stored.full_at) })
        }))
        .await
    }

    /// Adds to the commit that a payment failed at `now`: each bucket loses a token. The refusal: a bucket has changed
    /// since it was read.
    pub(super) fn with_failures<'a, R: 'a>(
        &self, commit: Commit<'a, R>, buckets: Vec<Bucket>, now: Timestamp, stale: fn() -> R,
    ) -> Result<Commit<'a, R>, StoreError> {
        buckets.into_iter().try_fold(commit, |commit, Bucket { key, full_at }| {
            let after = self.failure_limit.after_failure(full_at, now);
            let mut item = to_item(&key, &StoredBucket { full_at: after })?;
            item.insert(EXPIRES_AT.to_owned(), number(after.seconds()));
            let seen = full_at.map_or(Test::Absent, |full_at| Test::is(FULL_AT, text(full_at.to_string())));
            let edit = Edit::between(&Item::new(), &item, &[]);
            Ok(commit.contended().edit(key, edit, vec![seen], move |_, _| Ok(stale())))
        })
    }
}
