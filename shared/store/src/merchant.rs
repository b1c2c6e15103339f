//! Merchants.

use spillway_domain::id::MerchantId;
use spillway_domain::merchant::Merchant;
use spillway_domain::page::{Page, PageRequest};

use super::edit::Edit;
use super::expression::Test;
use super::listing::{List, Rows};
use super::{Created, Store, StoreError, TableKey, keys, number, to_item};

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

    /// A page of all merchants, newest first. An index lists the keys, so a merchant that was created a moment ago may
    /// be missing. The merchants themselves are read strongly. A merchant that can't be read is left out.
    pub async fn merchants(&self, request: &PageRequest) -> Result<Page<Merchant>, StoreError> {
        let partitions = vec![keys::MERCHANTS.to_owned()];
        let list = List { rows: Rows::LISTING, partitions, from: None, before: None };
        self.page(list, request, true, async |rows| {
            let keys: Option<Vec<TableKey>> = rows.iter().map(TableKey::of).collect();
            let keys = keys.ok_or_else(|| StoreError::Corrupt("a row of the index has no key".to_owned()))?;
            let items = self.get_all(&keys).await?.into_iter();
            Ok(items.map(|item| item.and_then(|item| self.read(item).ok())).collect())
        })
        .await
    }

    /// Stores a changed merchant. False if its version has changed since it was read.
    pub async fn change_merchant(&self, read: &Merchant, changed: &Merchant) -> Result<bool, StoreError> {
        let key = keys::merchant(&read.id);
        let edit = Edit::between(&to_item(&key, read)?, &to_item(&key, changed)?, &[]);
        self.edit(&key, edit, vec![Test::is("version", number(read.version))]).await
    }
}
