//! Batches. A batch of the wrong form is refused as a whole, an invalid entry alone.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::errors::{ApiError, Kind};

/// A batch request: up to ten entries.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Batch<T> {
    pub queue_url: String,
    #[serde(default = "Vec::new")]
    pub entries: Vec<Entry<T>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Entry<T> {
    pub id: String,
    #[serde(flatten)]
    pub content: T,
}

/// The answer to a batch: the results of entries that succeeded, and the errors of the others.
#[derive(Default, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct BatchAnswer {
    pub successful: Vec<Value>,
    pub failed: Vec<Value>,
}

impl<T> Batch<T> {
    /// Refuses a batch of the wrong form.
    pub fn check(&self) -> Result<(), ApiError> {
        let count = self.entries.len();
        if count == 0 {
            let message = "There should be at least one entry in the request.";
            return Err(ApiError::new(Kind::EmptyBatchRequest, message));
        }
        if count > 10 {
            let message = format!("Maximum number of entries per request are 10. You have sent {count}.");
            return Err(ApiError::new(Kind::TooManyEntriesInBatchRequest, message));
        }
        let mut seen = BTreeSet::new();
        for entry in &self.entries {
            let id = &entry.id;
            let known = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
            if id.is_empty() || id.len() > 80 || !id.chars().all(known) {
                let message = "A batch entry id can only contain alphanumeric characters, hyphens and \
                               underscores. It can be at most 80 letters long.";
                return Err(ApiError::new(Kind::InvalidBatchEntryId, message));
            }
            if !seen.insert(id) {
                let message = format!("Id {id} repeated.");
                return Err(ApiError::new(Kind::BatchEntryIdsNotDistinct, message));
            }
        }
        Ok(())
    }
}
