//! Revokes an API key of a merchant, now or at a later time. An operator invokes this function directly; it has no
//! route.

use std::sync::Arc;

use spillway_domain::api_key::ApiKey;
use spillway_domain::id::{ApiKeyId, MerchantId};
use spillway_domain::operator::OperatorAction;
use spillway_domain::time::Timestamp;
use spillway_lambda::{Answered, Invocation};
use spillway_runtime::{SettingError, Start};
use spillway_store::{Propagation, Store, StoreError};
use spillway_wire::view::{self, ApiKeyView, ChangedView};
use spillway_wire::{Fields, FromOperator, OperatorRequest};
use spillway_work::{Outcome, Subject};

/// Tries when concurrent requests revoke the same key.
const TRIES_MAX: u32 = 8;

/// The store, and the settings for the time from which a revocation is in force.
pub struct Parts {
    store: Store,
    propagation: Propagation,
}

impl spillway_runtime::Parts for Parts {
    fn new(start: &Start<'_>) -> Result<Parts, SettingError> {
        Ok(Parts { store: Store::new(start)?, propagation: Propagation::read(&start.environment)? })
    }
}

type Context = spillway_runtime::Context<Parts>;

/// The operator's request.
#[derive(Debug)]
pub struct RevokeApiKey {
    merchant: MerchantId,
    key: ApiKeyId,
    at: Option<Timestamp>,
}

impl OperatorRequest for RevokeApiKey {
    fn read(fields: &mut Fields) -> Option<RevokeApiKey> {
        let merchant = fields.merchant("merchant");
        let key = fields.id("key", "the id of an API key");
        let at = fields.optional_time("at");
        Some(RevokeApiKey { merchant: merchant?, key: key?, at })
    }
}

/// Why the key can't be revoked. Each text is one sentence for the operator.
#[derive(Debug, thiserror::Error)]
pub enum RevokeApiKeyError {
    /// The merchant has no such key.
    #[error("There is no key {key} of {merchant}.")]
    NoKey {
        /// The merchant in the request.
        merchant: MerchantId,
        /// The key in the request.
        key: ApiKeyId,
    },
    /// Another request revoked the key during each try.
    #[error("The key {0} was revoked by other requests during each of {TRIES_MAX} tries; send the same request again.")]
    Overtaken(ApiKeyId),
    /// The table failed.
    #[error("The revocation can't be stored: {0}.")]
    Store(#[from] StoreError),
}

/// Stores the time from which the key is refused. If the key is already revoked from the same or an earlier time,
/// nothing is written, and the first answer is returned again. From `effective_at` on, the gateway accepts no request
/// with the key.
pub async fn handle(
    context: Arc<Context>, invocation: Invocation, asked: FromOperator<RevokeApiKey>,
) -> Result<Answered<ChangedView<ApiKeyView>>, RevokeApiKeyError> {
    let RevokeApiKey { merchant, key: id, at } = asked.request;
    for _ in 0..TRIES_MAX {
        let read = context.store.issued_key(&merchant, &id).await?;
        let Some(issued) = read else { return Err(RevokeApiKeyError::NoKey { merchant, key: id }) };
        let now = context.now();
        let revocation = issued.key.revoked(at.unwrap_or(now), now, context.propagation.effective_at(now));
        let outcome = |what: &str| format!("{what}: effective at {}", revocation.effective_at);
        let about = |outcome| Subject::new(&id).of(&issued.key.tenant).outcome(Outcome::new(outcome));
        let answer = |key| view::changed(view::api_key(key, now, None), revocation.effective_at);
        if issued.key.revocation == Some(revocation) {
            let about = about(outcome("revoked before"));
            return Ok(Answered::new(answer(issued.key), about));
        }
        let action = OperatorAction {
            merchant: merchant.clone(),
            subject: id.clone().into(),
            operator: asked.operator.clone(),
            outcome: outcome("revoked"),
            request_id: invocation.request_id.clone(),
            created_at: now,
        };
        if context.store.revoke_api_key(&issued, revocation, &action).await? {
            let revoked_by = Some(action.operator);
            let about = about(action.outcome);
            let key = ApiKey { revocation: Some(revocation), revoked_by, ..issued.key };
            return Ok(Answered::new(answer(key), about));
        }
    }
    Err(RevokeApiKeyError::Overtaken(id))
}
