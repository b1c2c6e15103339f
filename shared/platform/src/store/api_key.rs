//! API keys: found by their hash when a client calls, by their id when an operator does.

use aws_sdk_dynamodb::types::{Put, TransactWriteItem};
use spillway_domain::api_key::{ApiKey, ApiKeySecret};

use super::reason::Cancelled;
use super::{Created, Store, StoreError, keys, text, to_item};

impl Store {
    /// Stores a new key under its hash and its id in one transaction, or tells the one that its id names.
    pub async fn create_api_key(&self, key: &ApiKey, secret: &ApiKeySecret) -> Result<Created<ApiKey>, StoreError> {
        let by_id = keys::api_key_id(&key.tenant.merchant, key.id.as_str());
        let mut request = self.client.transact_write_items().client_request_token(self.transaction_token());
        let mut by_id_item = to_item(&by_id, key)?;
        by_id_item.insert("sha256".to_owned(), text(secret.sha256()));
        for item in [by_id_item, to_item(&keys::api_key(&secret.sha256()), key)?] {
            let put = Put::builder().table_name(&self.table).set_item(Some(item));
            let put = put.condition_expression("attribute_not_exists(pk)").build().map_err(StoreError::incomplete)?;
            request = request.transact_items(TransactWriteItem::builder().put(put).build());
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
}
