//! A cache of merchants.

use std::sync::Arc;

use spillway_domain::id::MerchantId;
use spillway_domain::merchant::Merchant;

use super::cache::Cache;
use crate::{Store, StoreError};
use spillway_runtime::{Clock, SettingError, Start};

/// Reads merchants, and caches them for `CACHE_SECONDS`.
pub struct Merchants {
    store: Store,
    cache: Cache<MerchantId, Arc<Merchant>>,
    now: Clock,
}

impl Merchants {
    /// An empty cache of the store's merchants. Errors if `CACHE_SECONDS` is missing or wrong.
    pub fn new(start: &Start<'_>, store: &Store) -> Result<Merchants, SettingError> {
        let cache = Cache::new(start.environment.number("CACHE_SECONDS")?);
        Ok(Merchants { store: store.clone(), cache, now: start.effects.now.clone() })
    }

    /// A merchant as it was at most `CACHE_SECONDS` ago. None if it does not exist.
    pub async fn get(&self, id: &MerchantId) -> Result<Option<Arc<Merchant>>, StoreError> {
        if let Some(cached) = self.cache.get(id, (self.now)()) {
            return Ok(Some(cached));
        }
        self.now(id).await
    }

    /// A merchant as it is now, read strongly. None if it does not exist.
    pub async fn now(&self, id: &MerchantId) -> Result<Option<Arc<Merchant>>, StoreError> {
        let now = (self.now)();
        let read = self.store.merchant(id).await?.map(Arc::new);
        if let Some(merchant) = &read {
            self.cache.put(id.clone(), merchant.clone(), now);
        }
        Ok(read)
    }
}
