//! Operators' actions. Each is stored by the write that makes its change.

use spillway_domain::id::MerchantId;
use spillway_domain::operator::OperatorAction;
use spillway_domain::page::{Page, PageRequest};

use super::commit::Commit;
use super::listing::{List, Rows};
use super::{Store, StoreError, keys, to_item};

impl<R> Commit<'_, R> {
    /// Adds the put of an operator's action.
    pub(super) fn by_operator(self, action: &OperatorAction) -> Result<Self, StoreError> {
        self.follow(to_item(&keys::operator_action(action), action)?)
    }
}

impl Store {
    /// A page of the operators' actions on a merchant and its API keys, newest first, read strongly. An action that
    /// can't be read is left out.
    pub async fn operator_actions(
        &self, merchant: &MerchantId, request: &PageRequest,
    ) -> Result<Page<OperatorAction>, StoreError> {
        let list = List::whole(Rows::TABLE, keys::operator_actions(merchant));
        let read = async |rows: Vec<_>| Ok(rows.into_iter().map(|item| self.read(item).ok()).collect());
        self.page(list, request, true, read).await
    }
}
