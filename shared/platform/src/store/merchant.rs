//! Merchants.

use spillway_domain::id::MerchantId;
use spillway_domain::merchant::Merchant;

use super::{Created, Store, StoreError, keys, number, text, to_item};

/// What can be changed of a merchant. The write sets these alone: a newer version of this code may know others.
const CHANGEABLE: [&str; 6] = ["name", "currencies", "settlement_delay_days", "shards", "suspended", "version"];

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

    /// Stores a changed merchant. False if it is not at the version any more that was read: somebody else was faster.
    pub async fn change_merchant(&self, from_version: u64, changed: &Merchant) -> Result<bool, StoreError> {
        let key = keys::merchant(&changed.id);
        let mut item = to_item(&key, changed)?;
        let mut update = self
            .update(&key)
            .condition_expression("version = :from")
            .expression_attribute_values(":from", number(from_version));
        let mut sets = Vec::new();
        for name in CHANGEABLE {
            let Some(value) = item.remove(name) else { continue };
            sets.push(format!("#{name} = :{name}"));
            update = update
                .expression_attribute_names(format!("#{name}"), name)
                .expression_attribute_values(format!(":{name}"), value);
        }
        self.write(update.update_expression(format!("SET {}", sets.join(", ")))).await
    }
}
