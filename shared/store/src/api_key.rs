//! API keys: found by their hash when a client calls, by their id when an operator does.

use serde::Deserialize;
use spillway_domain::api_key::{ApiKey, ApiKeySecret, Revocation};
use spillway_domain::id::{ApiKeyId, MerchantId};

use super::commit::{Commit, Committed};
use super::edit::Edit;
use super::expression::{Comparison, Test};
use super::{Created, Store, StoreError, attribute, keys, text, to_item};

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
        let mut by_id = to_item(&keys::api_key_id(&key.tenant.merchant, key.id.as_str()), key)?;
        by_id.insert("sha256".to_owned(), text(secret.sha256()));
        let commit = Commit::new()
            .create(by_id, |store, found| store.read(found))?
            .follow(to_item(&keys::api_key(&secret.sha256()), key)?)?;
        self.commit(commit).await.map(Created::from)
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
        let stored = attribute(&revocation)?;
        let mut commit = Commit::new();
        for at in [keys::api_key_id(&key.tenant.merchant, key.id.as_str()), keys::api_key(sha256)] {
            let earlier = text(revocation.revoked_at.to_string());
            let not_as_early = Test::LacksOrCompares("revocation.revoked_at", Comparison::Above, earlier);
            let edit = Edit::new().set("revocation", stored.clone());
            commit = commit.edit(at, edit, vec![Test::Exists, not_as_early], |_, _| Ok(()));
        }
        Ok(self.commit(commit).await? == Committed::Done)
    }
}
