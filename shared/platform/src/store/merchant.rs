//! Merchants.

use spillway_domain::id::MerchantId;
use spillway_domain::merchant::Merchant;

use super::{Created, Store, StoreError, keys, number, to_item};

impl Store {
    /// Stores a new merchant, or tells the one that its id names.
    pub async fn create_merchant(&self, merchant: &Merchant) -> Result<Created<Merchant>, StoreError> {
        let mut item = to_item(&keys::merchant(&merchant.id), merchant)?;
        keys::merchant_listing(merchant.created_at, &merchant.id).put_into(&mut item);
        self.create(item).await
    }

    /// A merchant, read strongly.
    pub async fn merchant(&self, id: &MerchantId) -> Result<Option<Merchant>, StoreError> {
        self.get(&keys::merchant(id)).await
    }

    /// Stores a changed merchant. False if it is not at the version any more that was read: somebody else was faster.
    /// The write sets what differs alone: the item has more than a merchant, and a newer version of this code may know
    /// more still. (None of a merchant's attributes is ever absent, so that there is nothing to remove.)
    pub async fn change_merchant(&self, read: &Merchant, changed: &Merchant) -> Result<bool, StoreError> {
        let key = keys::merchant(&read.id);
        let (before, after) = (to_item(&key, read)?, to_item(&key, changed)?);
        let mut update = self
            .update(&key)
            .condition_expression("version = :from")
            .expression_attribute_values(":from", number(read.version));
        let mut sets = Vec::new();
        for (name, value) in after.into_iter().filter(|(name, value)| before.get(name) != Some(value)) {
            sets.push(format!("#{name} = :{name}"));
            update = update
                .expression_attribute_names(format!("#{name}"), &name)
                .expression_attribute_values(format!(":{name}"), value);
        }
        self.write(update.update_expression(format!("SET {}", sets.join(", ")))).await
    }
}
