//! Merchants as a process remembers them.

use std::fmt;
use std::sync::Arc;

use spillway_domain::id::MerchantId;
use spillway_domain::merchant::Merchant;

use super::cache::Cache;
use crate::{Store, StoreError};
use spillway_runtime::{Clock, SettingError, Start};

/// Reads merchants, and believes what it has read for `CACHE_SECONDS`.
pub struct Merchants {
    store: Store,
    known: Cache<MerchantId, Arc<Merchant>>,
    now: Clock,
}

impl fmt::Debug for Merchants {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Merchants").field("store", &self.store).finish_non_exhaustive()
    }
}

impl Merchants {
    /// Those of the store.
    pub fn new(start: &Start<'_>, store: &Store) -> Result<Merchants, SettingError> {
        let known = Cache::new(start.environment.number("CACHE_SECONDS")?);
        Ok(Merchants { store: store.clone(), known, now: start.effects.now.clone() })
    }

    /// A merchant as it was at most `CACHE_SECONDS` ago. None if there is none.
    pub async fn get(&self, id: &MerchantId) -> Result<Option<Arc<Merchant>>, StoreError> {
        if let Some(known) = self.known.get(id, (self.now)()) {
            return Ok(Some(known));
        }
        self.now(id).await
    }

    /// A merchant as it is now, read strongly. None if there is none.
    pub async fn now(&self, id: &MerchantId) -> Result<Option<Arc<Merchant>>, StoreError> {
        let now = (self.now)();
        let read = self.store.merchant(id).await?.map(Arc::new);
        if let Some(merchant) = &read {
            self.known.put(id.clone(), merchant.clone(), now);
        }
        Ok(read)
    }
}
