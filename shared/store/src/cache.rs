//! A bounded in-process cache, for data that may be a minute old.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Mutex, PoisonError};

use spillway_domain::time::Timestamp;

const ENTRIES_MAX: usize = 1000;

/// Values that are used until they reach an age.
#[derive(Debug)]
pub struct Cache<K, V> {
    lifetime_ms: i64,
    entries: Mutex<HashMap<K, (Timestamp, V)>>,
}

impl<K: Eq + Hash, V: Clone> Cache<K, V> {
    /// A cache that returns a value until it is `lifetime_s` seconds old.
    pub fn new(lifetime_s: u32) -> Cache<K, V> {
        Cache { lifetime_ms: i64::from(lifetime_s) * 1000, entries: Mutex::default() }
    }

    /// The value of a key. None if there is no value, or it is too old.
    pub fn get(&self, key: &K, now: Timestamp) -> Option<V> {
        let entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        entries.get(key).filter(|(since, _)| now.since(*since) < self.lifetime_ms).map(|(_, value)| value.clone())
    }

    /// Stores a value that was read at `now`. A full cache is emptied first, which is simple and happens rarely.
    pub fn put(&self, key: K, value: V, now: Timestamp) {
        let mut entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        if entries.len() >= ENTRIES_MAX {
            entries.clear();
        }
        entries.insert(key, (now, value));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_expires_after_its_lifetime() {
        let at = Timestamp::from_millis;
        let cache = Cache::new(60);
        cache.put("merchant", 1, at(0));
        assert_eq!(cache.get(&"merchant", at(59_999)), Some(1));
        assert_eq!(cache.get(&"merchant", at(60_000)), None);
    }
}
