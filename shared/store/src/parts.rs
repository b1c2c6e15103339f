//! The parts of functions that use only the table.

use spillway_runtime::{Parts, SettingError, Start};

use crate::Store;

/// The parts of most endpoints: only the store.
pub struct StoreOnly {
    /// The table.
    pub store: Store,
}

impl Parts for StoreOnly {
    fn new(start: &Start<'_>) -> Result<StoreOnly, SettingError> {
        Ok(StoreOnly { store: Store::new(start)? })
    }
}

/// The parts of endpoints that write events: only the store.
pub struct StoreWithEvents {
    /// The table.
    pub store: Store,
}

impl Parts for StoreWithEvents {
    fn new(start: &Start<'_>) -> Result<StoreWithEvents, SettingError> {
        Ok(StoreWithEvents { store: Store::with_events(start)? })
    }
}
