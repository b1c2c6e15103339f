//! What the sandbox processor was made to do: its own books, apart from Spillway's, so that a double charge shows.

use aws_sdk_dynamodb::types::ReturnValue;
use serde::Deserialize;
use spillway_domain::time::Timestamp;

use super::{Store, StoreError, keys, number, text};

/// What the sandbox did for a reference under one idempotency key. Another key is another item: were a payment charged
/// under two, two items would say so.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct SandboxCall {
    /// How often it was asked.
    pub calls: u32,
    /// How often it took the money.
    #[serde(default)]
    pub charges: u32,
    /// When it last took the money.
    pub charged_at: Option<Timestamp>,
}

impl Store {
    /// Counts a call and tells how many there were. Sent again because its reply was lost, it counts once.
    pub async fn count_sandbox_call(
        &self, reference: &str, idempotency_key: &str, now: Timestamp,
    ) -> Result<SandboxCall, StoreError> {
        let update = self
            .update(&keys::sandbox_call(reference, idempotency_key))
            .update_expression("ADD calls :one SET #schema = :schema, called_at = if_not_exists(called_at, :now)")
            .condition_expression("attribute_not_exists(writer) OR writer <> :writer")
            .expression_attribute_names("#schema", "schema")
            .expression_attribute_values(":one", number(1))
            .expression_attribute_values(":schema", number(super::SCHEMA))
            .expression_attribute_values(":now", text(now.to_string()))
            .return_values(ReturnValue::AllNew);
        match self.written(update).await? {
            Some(item) => self.read(item),
            None => Err(StoreError::Unavailable("the call was not counted".to_owned())),
        }
    }

    /// Takes the money under this key, unless it was taken after `remembered_since`: of two calls at once, one does.
    pub async fn sandbox_charge(
        &self, reference: &str, idempotency_key: &str, remembered_since: Timestamp, now: Timestamp,
    ) -> Result<(), StoreError> {
        let update = self
            .update(&keys::sandbox_call(reference, idempotency_key))
            .update_expression("SET charged_at = :now ADD charges :one")
            .condition_expression("attribute_not_exists(charged_at) OR charged_at < :since")
            .expression_attribute_values(":one", number(1))
            .expression_attribute_values(":now", text(now.to_string()))
            .expression_attribute_values(":since", text(remembered_since.to_string()));
        self.write(update).await.map(|_| ())
    }

    /// What was done for a reference, under whatever key.
    pub async fn sandbox_calls(&self, reference: &str) -> Result<Vec<SandboxCall>, StoreError> {
        let partition = keys::sandbox_call(reference, "").pk;
        self.query(&partition, "", None, |item| self.read(item)).await?.complete()
    }
}
