//! API keys. The authorizer finds a key by its hash, an operator by its id.

use serde::Deserialize;
use spillway_domain::api_key::{ApiKey, ApiKeySecret, Revocation};
use spillway_domain::id::{ApiKeyId, MerchantId};
use spillway_domain::operator::OperatorAction;

use super::commit::{Commit, Committed};
use super::edit::Edit;
use super::expression::{Comparison, Test};
use super::{Created, Store, StoreError, attribute, keys, text, to_item};

/// A key that was found by its id, with the hash of its secret.
#[derive(Debug, Clone, Deserialize)]
pub struct IssuedKey {
    /// The key.
    #[serde(flatten)]
    pub key: ApiKey,
    sha256: String,
}

impl Store {
    /// Stores a new key under its hash and its id, and the action that issued it, in one transaction. Returns the
    /// existing key if its id is taken.
    pub async fn create_api_key(
        &self, key: &ApiKey, secret: &ApiKeySecret, action: &OperatorAction,
    ) -> Result<Created<ApiKey>, StoreError> {
        let mut by_id = to_item(&keys::api_key_id(&key.tenant.merchant, key.id.as_str()), key)?;
        by_id.insert("sha256".to_owned(), text(secret.sha256()));
        let commit = Commit::new()
            .create(by_id, |store, found| store.read(found))?
            .follow(to_item(&keys::api_key(&secret.sha256()), key)?)?
            .by_operator(action)?;
        self.commit(commit).await.map(Created::from)
    }

    /// The key with this secret, found by its hash. None if no such key exists.
    pub async fn api_key(&self, secret: &ApiKeySecret) -> Result<Option<ApiKey>, StoreError> {
        self.get(&keys::api_key(&secret.sha256())).await
    }

    /// The key of this merchant with this id. None if no such key exists.
    pub async fn issued_key(&self, merchant: &MerchantId, id: &ApiKeyId) -> Result<Option<IssuedKey>, StoreError> {
        self.get(&keys::api_key_id(merchant, id.as_str())).await
    }

    /// All keys of a merchant, read strongly, in no particular order. A key that can't be read is left out.
    pub async fn api_keys(&self, merchant: &MerchantId) -> Result<Vec<ApiKey>, StoreError> {
        Ok(self.query(&keys::api_keys(merchant), "", None, |item| self.read(item)).await?.items)
    }

    /// Stores that a key is revoked, under its hash and its id, and the action that revoked it, in one transaction.
    /// False, and nothing is written, if the key is already revoked from the same or an earlier time, or if it no longer
    /// exists: a revocation must not create the key's item.
    pub async fn revoke_api_key(
        &self, issued: &IssuedKey, revocation: Revocation, action: &OperatorAction,
    ) -> Result<bool, StoreError> {
        let IssuedKey { key, sha256 } = issued;
        let stored = attribute(&revocation)?;
        let mut commit = Commit::new();
        for at in [keys::api_key_id(&key.tenant.merchant, key.id.as_str()), keys::api_key(sha256)] {
            let revoked_at = text(revocation.revoked_at.to_string());
            let not_earlier = Test::LacksOrCompares("revocation.revoked_at", Comparison::Above, revoked_at);
            let edit = Edit::new().set("revocation", stored.clone()).set("revoked_by", attribute(&action.operator)?);
            commit = commit.edit(at, edit, vec![Test::Exists, not_earlier], |_, _| Ok(()));
        }
        Ok(self.commit(commit.by_operator(action)?).await? == Committed::Done)
    }
}
