//! The parts of the functions that work with the table alone.

use spillway_runtime::{Parts, SettingError, Start};

use crate::Store;

/// The store and nothing else, as for most endpoints.
#[derive(Debug)]
pub struct StoreOnly {
    /// The table.
    pub store: Store,
}

impl Parts for StoreOnly {
    fn new(start: &Start<'_>) -> Result<StoreOnly, SettingError> {
        Ok(StoreOnly { store: Store::new(start)? })
    }
}

/// The store of a function that writes events.
#[derive(Debug)]
pub struct StoreWithEvents {
    /// The table.
    pub store: Store,
}

impl Parts for StoreWithEvents {
    fn new(start: &Start<'_>) -> Result<StoreWithEvents, SettingError> {
        Ok(StoreWithEvents { store: Store::with_events(start)? })
    }
}
