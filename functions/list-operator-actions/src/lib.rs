//! Lists the operators' actions on a merchant, newest first: changes of it and its API keys, and redeliveries. An operator
//! invokes this function directly; it has no route.

use std::sync::Arc;

use spillway_domain::id::MerchantId;
use spillway_lambda::{Answered, Invocation};
use spillway_runtime::Context;
use spillway_store::{StoreError, StoreOnly};
use spillway_wire::view::{self, ListView, OperatorActionView};
use spillway_wire::{Fields, FromOperator, ListPage, OperatorRequest};
use spillway_work::Subject;

/// The operator's request.
#[derive(Debug)]
pub struct ListOperatorActions {
    merchant: MerchantId,
    page: ListPage,
}

impl OperatorRequest for ListOperatorActions {
    fn read(fields: &mut Fields) -> Option<ListOperatorActions> {
        let (merchant, page) = ListPage::of_operator_under(fields, "list-operator-actions")?;
        Some(ListOperatorActions { merchant, page })
    }
}

/// Why the actions can't be listed. Each text is one sentence for the operator.
#[derive(Debug, thiserror::Error)]
pub enum ListOperatorActionsError {
    /// The merchant does not exist.
    #[error("There is no merchant {0}.")]
    NoMerchant(MerchantId),
    /// The table failed.
    #[error("The actions can't be read: {0}.")]
    Store(#[from] StoreError),
}

/// Returns a page of actions, and the cursor of the next page, if any.
pub async fn handle(
    context: Arc<Context<StoreOnly>>, _: Invocation, asked: FromOperator<ListOperatorActions>,
) -> Result<Answered<ListView<OperatorActionView>>, ListOperatorActionsError> {
    let ListOperatorActions { merchant, page } = asked.request;
    if context.store.merchant(&merchant).await?.is_none() {
        return Err(ListOperatorActionsError::NoMerchant(merchant));
    }
    let actions = context.store.operator_actions(&merchant, &page.request).await?;
    let next_cursor = actions.next.map(|position| page.cursor(position));
    let views = actions.items.into_iter().map(view::operator_action);
    Ok(Answered::new(view::list(views, next_cursor), Subject::new(&merchant).of(&merchant)))
}
