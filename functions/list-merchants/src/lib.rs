//! Lists all merchants, newest first. An operator invokes this function directly; it has no route.

use std::sync::Arc;

use spillway_lambda::{Answered, Invocation};
use spillway_runtime::Context;
use spillway_store::{StoreError, StoreOnly};
use spillway_wire::view::{self, ListView, MerchantView};
use spillway_wire::{Fields, FromOperator, ListPage, OperatorRequest};

/// The operator's request.
#[derive(Debug)]
pub struct ListMerchants {
    page: ListPage,
}

impl OperatorRequest for ListMerchants {
    fn read(fields: &mut Fields) -> Option<ListMerchants> {
        Some(ListMerchants { page: ListPage::of_operator(fields, "list-merchants") })
    }
}

/// Why the merchants can't be listed. Each text is one sentence for the operator.
#[derive(Debug, thiserror::Error)]
pub enum ListMerchantsError {
    /// The table failed.
    #[error("The merchants can't be read: {0}.")]
    Store(#[from] StoreError),
}

/// Returns a page of merchants, and the cursor of the next page, if any.
pub async fn handle(
    context: Arc<Context<StoreOnly>>, _: Invocation, asked: FromOperator<ListMerchants>,
) -> Result<Answered<ListView<MerchantView>>, ListMerchantsError> {
    let ListMerchants { page } = asked.request;
    let merchants = context.store.merchants(&page.request).await?;
    let next_cursor = merchants.next.map(|position| page.cursor(position));
    Ok(Answered::new(view::list(merchants.items.into_iter().map(view::merchant), next_cursor), None))
}
