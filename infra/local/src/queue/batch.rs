//! Batches. A batch of the wrong form is refused as a whole, an invalid entry alone.

use std::collections::BTreeSet;

use serde::Deserialize;
use serde_json::{Value, json};

use super::errors::{ApiError, Kind};

/// An entry of a batch, which has an id.
pub(super) trait Entry {
    fn id(&self) -> &str;
}

/// A batch request: up to ten entries.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Batch<E> {
    pub queue_url: String,
    #[serde(default = "Vec::new")]
    pub entries: Vec<E>,
}

/// The answer to a batch.
pub(super) struct BatchAnswer {
    successful: Vec<Value>,
    failed: Vec<Value>,
}

impl<E: Entry> Batch<E> {
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
            let id = entry.id();
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

impl BatchAnswer {
    pub fn new() -> Self {
        Self { successful: Vec::new(), failed: Vec::new() }
    }

    /// An entry that succeeded, with its result.
    pub fn succeeded(&mut self, value: Value) {
        self.successful.push(value);
    }

    /// An entry that was refused.
    pub fn failed(&mut self, id: &str, refusal: &ApiError) {
        self.failed.push(refusal.entry(id));
    }

    /// The answer on the wire.
    pub fn render(self) -> Value {
        json!({"Successful": self.successful, "Failed": self.failed})
    }
}
