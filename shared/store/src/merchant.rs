//! Merchants.

use spillway_domain::id::MerchantId;
use spillway_domain::merchant::Merchant;

use super::edit::Edit;
use super::expression::Test;
use super::{Created, Store, StoreError, keys, number, to_item};

impl Store {
    /// Stores a new merchant. Returns the existing merchant if its id is taken.
    pub async fn create_merchant(&self, merchant: &Merchant) -> Result<Created<Merchant>, StoreError> {
        let mut item = to_item(&keys::merchant(&merchant.id), merchant)?;
        keys::merchant_listing(merchant.created_at, &merchant.id).put_into(&mut item);
        self.create_item(item).await
    }

    /// A merchant, read strongly. None if it does not exist.
    pub async fn merchant(&self, id: &MerchantId) -> Result<Option<Merchant>, StoreError> {
        self.get(&keys::merchant(id)).await
    }

    /// Stores a changed merchant. False if its version has changed since it was read.
    pub async fn change_merchant(&self, read: &Merchant, changed: &Merchant) -> Result<bool, StoreError> {
        let key = keys::merchant(&read.id);
        let edit = Edit::between(&to_item(&key, read)?, &to_item(&key, changed)?, &[]);
        self.edit(&key, edit, vec![Test::is("version", number(read.version))]).await
    }
}
