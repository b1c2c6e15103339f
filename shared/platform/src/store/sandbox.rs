//! What the sandbox processor was made to do: its own books, apart from Spillway's, so that a double charge shows.

use aws_sdk_dynamodb::types::ReturnValue;
use serde::Deserialize;
use spillway_domain::time::Timestamp;

use super::{Store, StoreError, from_item, keys, number, text};

/// What the sandbox did under one idempotency key. Another key is another item: were a payment charged under two,
/// two items would say so.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct SandboxCall {
    /// How often it was asked.
    pub calls: u32,
    /// Whether it took the money.
    #[serde(default)]
    pub charged: bool,
}

impl Store {
    /// Counts a call and tells how many there were.
    pub async fn count_sandbox_call(
        &self, reference: &str, operation: &str, now: Timestamp,
    ) -> Result<SandboxCall, StoreError> {
        let answer = self
            .client
            .update_item()
            .table_name(&self.table)
            .set_key(Some(keys::sandbox_call(reference, operation).attributes()))
            .update_expression("ADD calls :one SET #schema = :schema, called_at = if_not_exists(called_at, :now)")
            .expression_attribute_values(":now", text(now.to_string()))
            .expression_attribute_names("#schema", "schema")
            .expression_attribute_values(":one", number(1))
            .expression_attribute_values(":schema", number(super::SCHEMA))
            .return_values(ReturnValue::AllNew)
            .send()
            .await
            .map_err(StoreError::from_sdk)?;
        from_item(answer.attributes.unwrap_or_default())
    }

    /// Notes that the money was taken under this key.
    pub async fn note_sandbox_charge(
        &self, reference: &str, operation: &str, now: Timestamp,
    ) -> Result<(), StoreError> {
        self.client
            .update_item()
            .table_name(&self.table)
            .set_key(Some(keys::sandbox_call(reference, operation).attributes()))
            .update_expression("SET charged = :yes, charged_at = if_not_exists(charged_at, :at)")
            .expression_attribute_values(":yes", aws_sdk_dynamodb::types::AttributeValue::Bool(true))
            .expression_attribute_values(":at", text(now.to_string()))
            .send()
            .await
            .map_err(StoreError::from_sdk)?;
        Ok(())
    }

    /// What was done under this key. None if it was never asked.
    pub async fn sandbox_call(&self, reference: &str, operation: &str) -> Result<Option<SandboxCall>, StoreError> {
        self.get(&keys::sandbox_call(reference, operation)).await
    }
}
