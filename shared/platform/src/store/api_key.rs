//! API keys: found by their hash when a client calls, by their id when an operator does.

use aws_sdk_dynamodb::types::{AttributeValue, TransactWriteItem, Update};
use serde::Deserialize;
use spillway_domain::api_key::{ApiKey, ApiKeySecret, Revocation};
use spillway_domain::id::{ApiKeyId, MerchantId};

use super::reason::Cancelled;
use super::{Created, Store, StoreError, keys, text, to_item};

/// A key as found by its id, with what finds it by what a client sends.
#[derive(Debug, Clone, Deserialize)]
pub struct IssuedKey {
    /// The key.
    #[serde(flatten)]
    pub key: ApiKey,
    sha256: String,
}

impl Store {
    /// Stores a new key under its hash and its id in one transaction, or tells the one that its id names.
    pub async fn create_api_key(&self, key: &ApiKey, secret: &ApiKeySecret) -> Result<Created<ApiKey>, StoreError> {
        let by_id = keys::api_key_id(&key.tenant.merchant, key.id.as_str());
        let mut request = self.client.transact_write_items().client_request_token(self.transaction_token());
        let mut by_id_item = to_item(&by_id, key)?;
        by_id_item.insert("sha256".to_owned(), text(secret.sha256()));
        for item in [by_id_item, to_item(&keys::api_key(&secret.sha256()), key)?] {
            request = request.transact_items(self.creation(item)?);
        }
        match request.send().await.map_err(Cancelled::from_sdk) {
            Ok(_) => Ok(Created::New),
            Err(Cancelled::Guard(_)) => match self.get(&by_id).await? {
                Some(existing) => Ok(Created::Existing(existing)),
                None => Err(StoreError::Unavailable("a key was being issued".to_owned())),
            },
            Err(Cancelled::Error(error)) => Err(error),
        }
    }

    /// The key that a client sent, by its hash.
    pub async fn api_key(&self, secret: &ApiKeySecret) -> Result<Option<ApiKey>, StoreError> {
        self.get(&keys::api_key(&secret.sha256())).await
    }

    /// The key of this merchant that its id names.
    pub async fn issued_key(&self, merchant: &MerchantId, id: &ApiKeyId) -> Result<Option<IssuedKey>, StoreError> {
        self.get(&keys::api_key_id(merchant, id.as_str())).await
    }

    /// Stores that a key is revoked, under its hash and its id in one transaction. False, and nothing is written, if it
    /// is revoked as early already, or not there any more: an item of a revocation alone would be none of a key.
    pub async fn revoke_api_key(&self, issued: &IssuedKey, revocation: Revocation) -> Result<bool, StoreError> {
        let IssuedKey { key, sha256 } = issued;
        let stored = serde_dynamo::to_attribute_value(revocation);
        let stored: AttributeValue =
            stored.map_err(|error: serde_dynamo::Error| StoreError::Corrupt(error.to_string()))?;
        let mut request = self.client.transact_write_items().client_request_token(self.transaction_token());
        for key in [keys::api_key_id(&key.tenant.merchant, key.id.as_str()), keys::api_key(sha256)] {
            let update = Update::builder()
                .table_name(&self.table)
                .set_key(Some(key.attributes()))
                .update_expression("SET revocation = :revocation")
                // Times have a fixed width: the texts compare as the times do.
                .condition_expression(
                    "attribute_exists(pk) AND (attribute_not_exists(revocation) OR revocation.revoked_at > :at)",
                )
                .expression_attribute_values(":revocation", stored.clone())
                .expression_attribute_values(":at", text(revocation.revoked_at.to_string()));
            let update = update.build().map_err(StoreError::incomplete)?;
            request = request.transact_items(TransactWriteItem::builder().update(update).build());
        }
        match request.send().await.map_err(Cancelled::from_sdk) {
            Ok(_) => Ok(true),
            Err(Cancelled::Guard(_)) => Ok(false),
            Err(Cancelled::Error(error)) => Err(error),
        }
    }
}
