//! Merchants.

use spillway_domain::id::MerchantId;
use spillway_domain::merchant::Merchant;

use super::{Created, Store, StoreError, keys, text, to_item};

impl Store {
    /// Stores a new merchant, or tells the one that its id names.
    pub async fn create_merchant(&self, merchant: &Merchant) -> Result<Created<Merchant>, StoreError> {
        let mut item = to_item(&keys::merchant(&merchant.id), merchant)?;
        item.insert("listing".to_owned(), text("merchants"));
        item.insert("listing_at".to_owned(), text(format!("{}#{}", merchant.created_at, merchant.id)));
        self.create(item).await
    }

    /// A merchant, read strongly.
    pub async fn merchant(&self, id: &MerchantId) -> Result<Option<Merchant>, StoreError> {
        self.get(&keys::merchant(id)).await
    }
}
