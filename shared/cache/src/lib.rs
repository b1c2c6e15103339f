//! The cache before the table, for reads of one resource: docs/decisions/0025.
//!
//! It holds only what can never change again ([`Resource::lasting`]). So a value in it is never stale, whatever happens to
//! the cache and whoever can't reach it: nothing has to be deleted or updated there. Everything else is read from the
//! table. A cache that is down, slow or full costs a request a few milliseconds at most.

mod address;
mod cache;
mod connection;

use std::sync::Arc;

use spillway_domain::id::Id;
use spillway_domain::resource::Resource;
use spillway_domain::tenant::Tenant;
use spillway_runtime::{Parts, SettingError, Start};
use spillway_store::{Store, StoreError, TableKey, keys};

use self::address::Address;
use self::cache::Cache;

/// Seconds after which the cache forgets a value. An operator's repair of an item shows after this time at the latest.
const SECONDS: u32 = 86_400;

/// The parts of an endpoint that reads one resource: the table, and the cache before it if `CACHE_URL` names one.
pub struct CachedStore {
    store: Store,
    cache: Option<Arc<Cache>>,
    /// The beginning of all keys.
    release: String,
}

impl Parts for CachedStore {
    fn new(start: &Start<'_>) -> Result<CachedStore, SettingError> {
        let store = Store::new(start)?;
        let cache = Address::read(&start.environment)?.map(|address| Cache::new(address, start));
        let version = start.environment.optional("AWS_LAMBDA_FUNCTION_VERSION").unwrap_or_default();
        let release = release(&version, store.table());
        Ok(CachedStore { store, cache, release })
    }
}

impl CachedStore {
    /// A resource of this tenant for its view, as it is now: from the cache if it can never change again, else read
    /// strongly from the table. None if it does not exist or belongs to another tenant.
    pub async fn resource<T: Resource>(&self, tenant: &Tenant, id: &Id<T::Kind>) -> Result<Option<T>, StoreError> {
        let Some(cache) = &self.cache else { return self.store.resource(tenant, id).await };
        let item = keys::resource::<T>(tenant, id);
        let key = key(&self.release, &item);
        let cached = cache.get(&key).await.and_then(|value| read::<T>(&value, tenant, id));
        if cached.is_some() {
            return Ok(cached);
        }
        let stored: Option<T> = self.store.resource(tenant, id).await?;
        if let Some(value) = stored.clone().and_then(write) {
            cache.put(&key, &value, SECONDS).await;
        }
        Ok(stored)
    }
}

/// The beginning of all keys of a table. `version`: Lambda's number of the function's version, because code of another
/// version may store a resource in another form.
fn release(version: &str, table: &str) -> String {
    format!("spillway:{}:{version}:{table}", env!("CARGO_PKG_VERSION"))
}

/// The key of an item, which names tenant and id.
fn key(release: &str, item: &TableKey) -> String {
    format!("{release}:{}:{}", item.pk, item.sk)
}

/// The value of a resource. None if it could still change.
fn write<T: Resource>(resource: T) -> Option<Vec<u8>> {
    serde_json::to_vec(&resource.lasting()?).ok()
}

/// Reads a value. None if it is not this resource of this tenant, or one that could still change.
fn read<T: Resource>(value: &[u8], tenant: &Tenant, id: &Id<T::Kind>) -> Option<T> {
    let resource: T = serde_json::from_slice(value).ok()?;
    let meta = resource.meta();
    if meta.owner == *tenant && meta.id.as_str() == id.as_str() { resource.lasting() } else { None }
}

#[cfg(test)]
mod tests;
