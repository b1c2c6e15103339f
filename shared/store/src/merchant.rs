//! Merchants.

use spillway_domain::id::MerchantId;
use spillway_domain::merchant::Merchant;
use spillway_domain::operator::OperatorAction;
use spillway_domain::page::{Page, PageRequest};

use super::commit::{Commit, Committed};
use super::edit::Edit;
use super::expression::Test;
use super::listing::{List, Rows};
use super::{Created, Store, StoreError, keys, number, to_item};

impl Store {
    /// Stores a new merchant and the action that created it, in one transaction. Returns the existing merchant if its
    /// id is taken.
    pub async fn create_merchant(
        &self, merchant: &Merchant, action: &OperatorAction,
    ) -> Result<Created<Merchant>, StoreError> {
        let mut item = to_item(&keys::merchant(&merchant.id), merchant)?;
        keys::merchant_listing(merchant.created_at, &merchant.id).put_into(&mut item);
        let commit = Commit::new().create(item, |store, found| store.read(found))?.by_operator(action)?;
        self.commit(commit).await.map(Created::from)
    }

    /// A merchant, read strongly. None if it does not exist.
    pub async fn merchant(&self, id: &MerchantId) -> Result<Option<Merchant>, StoreError> {
        self.get(&keys::merchant(id)).await
    }

    /// A page of all merchants, newest first. An index lists the keys, so a merchant that was created a moment ago may
    /// be missing. The merchants themselves are read strongly. A merchant that can't be read is left out.
    pub async fn merchants(&self, request: &PageRequest) -> Result<Page<Merchant>, StoreError> {
        let list = List::whole(Rows::LISTING, keys::MERCHANTS.to_owned());
        self.page(list, request, true, async |rows| self.behind(rows, |_| true).await).await
    }

    /// Stores a changed merchant and the action that changed it, in one transaction. False if its version has changed
    /// since it was read.
    pub async fn change_merchant(
        &self, read: &Merchant, changed: &Merchant, action: &OperatorAction,
    ) -> Result<bool, StoreError> {
        let key = keys::merchant(&read.id);
        let edit = Edit::between(&to_item(&key, read)?, &to_item(&key, changed)?, &[]);
        let unchanged = vec![Test::is("version", number(read.version))];
        let commit = Commit::new().edit(key, edit, unchanged, |_, _| Ok(())).by_operator(action)?;
        Ok(self.commit(commit).await? == Committed::Done)
    }
}
