//! A bounded cache in a process, for facts that may be a minute old.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Mutex, PoisonError};

use spillway_domain::time::Timestamp;

const ENTRIES_MAX: usize = 1000;

/// Values that are believed for a time.
#[derive(Debug)]
pub struct Cache<K, V> {
    lives_ms: i64,
    entries: Mutex<HashMap<K, (Timestamp, V)>>,
}

impl<K: Eq + Hash, V: Clone> Cache<K, V> {
    /// Believes a value for `lives_s` seconds.
    pub fn new(lives_s: u32) -> Cache<K, V> {
        Cache { lives_ms: i64::from(lives_s) * 1000, entries: Mutex::default() }
    }

    /// The value, if it is young enough.
    pub fn get(&self, key: &K, now: Timestamp) -> Option<V> {
        let entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        entries.get(key).filter(|(since, _)| now.since(*since) < self.lives_ms).map(|(_, value)| value.clone())
    }

    /// Keeps a value. A full cache is emptied first: simple, and rare.
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
    fn a_value_is_believed_for_its_time_only() {
        let at = Timestamp::from_millis;
        let cache = Cache::new(60);
        cache.put("merchant", 1, at(0));
        assert_eq!(cache.get(&"merchant", at(59_999)), Some(1));
        assert_eq!(cache.get(&"merchant", at(60_000)), None);
    }
}
