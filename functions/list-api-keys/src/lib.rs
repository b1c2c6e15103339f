//! Lists the API keys of a merchant, newest first, without their secrets. An operator invokes this function directly; it
//! has no route.

use std::sync::Arc;

use spillway_domain::api_key::ApiKey;
use spillway_domain::id::MerchantId;
use spillway_domain::page::Page;
use spillway_lambda::{Answered, Invocation};
use spillway_runtime::Context;
use spillway_store::{StoreError, StoreOnly};
use spillway_wire::view::{self, ApiKeyView, ListView};
use spillway_wire::{Fields, FromOperator, ListPage, OperatorRequest};
use spillway_work::Subject;

/// The operator's request.
#[derive(Debug)]
pub struct ListApiKeys {
    merchant: MerchantId,
    page: ListPage,
}

impl OperatorRequest for ListApiKeys {
    fn read(fields: &mut Fields) -> Option<ListApiKeys> {
        let (merchant, page) = ListPage::of_operator_under(fields, "list-api-keys")?;
        Some(ListApiKeys { merchant, page })
    }
}

/// Why the keys can't be listed. Each text is one sentence for the operator.
#[derive(Debug, thiserror::Error)]
pub enum ListApiKeysError {
    /// The merchant does not exist.
    #[error("There is no merchant {0}.")]
    NoMerchant(MerchantId),
    /// The table failed.
    #[error("The keys can't be read: {0}.")]
    Store(#[from] StoreError),
}

/// Returns a page of keys, and the cursor of the next page, if any. It reads all keys strongly, because they are few
/// and stored by their ids.
pub async fn handle(
    context: Arc<Context<StoreOnly>>, _: Invocation, asked: FromOperator<ListApiKeys>,
) -> Result<Answered<ListView<ApiKeyView>>, ListApiKeysError> {
    let ListApiKeys { merchant, page } = asked.request;
    if context.store.merchant(&merchant).await?.is_none() {
        return Err(ListApiKeysError::NoMerchant(merchant));
    }
    let keys = context.store.api_keys(&merchant).await?.into_iter();
    let keys = Page::of(keys.map(|key: ApiKey| (key.position(), key)), &page.request);
    let next_cursor = keys.next.map(|position| page.cursor(position));
    let now = context.now();
    let views = keys.items.into_iter().map(|key| view::api_key(key, now, None));
    Ok(Answered::new(view::list(views, next_cursor), Subject::new(&merchant).of(&merchant)))
}
