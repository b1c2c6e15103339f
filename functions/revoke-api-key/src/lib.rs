//! Revokes an API key of a merchant, now or at a time to come. Invoked directly by an operator; it has no route.

use std::sync::Arc;

use spillway_domain::api_key::ApiKey;
use spillway_domain::id::{ApiKeyId, MerchantId};
use spillway_domain::time::Timestamp;
use spillway_lambda::{Answered, Invocation};
use spillway_runtime::{SettingError, Start};
use spillway_store::{Remembered, Store, StoreError};
use spillway_wire::view::{self, ApiKeyView, ChangedView};
use spillway_wire::{Fields, OperatorRequest};
use spillway_work::{Done, Subject};

/// Another revocation of the same key only ever leaves less to do.
const TRIES: u32 = 8;

/// The store, and what tells the time from which a revocation holds.
pub struct Parts {
    store: Store,
    remembered: Remembered,
}

impl spillway_runtime::Parts for Parts {
    fn new(start: &Start<'_>) -> Result<Parts, SettingError> {
        Ok(Parts { store: Store::new(start)?, remembered: Remembered::read(&start.environment)? })
    }
}

type Context = spillway_runtime::Context<Parts>;

/// What an operator asks for.
#[derive(Debug)]
pub struct RevokeApiKey {
    merchant: MerchantId,
    key: ApiKeyId,
    at: Option<Timestamp>,
}

impl OperatorRequest for RevokeApiKey {
    fn read(fields: &mut Fields) -> Option<RevokeApiKey> {
        let merchant = fields.merchant("merchant");
        let key =
            fields.parsed("key", "must be the id of an API key, key_ and 26 characters", |id| ApiKeyId::parse(id).ok());
        let at = fields.optional_time("at");
        Some(RevokeApiKey { merchant: merchant?, key: key?, at })
    }
}

/// Why the key is not revoked. Each is one sentence for the operator.
#[derive(Debug, thiserror::Error)]
pub enum RevokeApiKeyError {
    /// The merchant has no such key.
    #[error("There is no key {key} of {merchant}.")]
    NoKey {
        /// As asked for.
        merchant: MerchantId,
        /// As asked for.
        key: ApiKeyId,
    },
    /// Others were faster, each time.
    #[error("The key {0} was revoked by others meanwhile, {TRIES} times in a row; send the same again.")]
    Overtaken(ApiKeyId),
    /// The table failed.
    #[error("The revocation can't be stored: {0}.")]
    Store(#[from] StoreError),
}

/// Stores from when on the key is refused, unless that is so at that time or earlier already: then nothing is written,
/// and the answer is the first one again. No request with the key that arrives at the gateway from its `effective_at`
/// on is accepted.
pub async fn handle(
    context: Arc<Context>, _: Invocation, asked: RevokeApiKey,
) -> Result<Answered<ChangedView<ApiKeyView>>, RevokeApiKeyError> {
    let RevokeApiKey { merchant, key: id, at } = asked;
    for _ in 0..TRIES {
        let read = context.store.issued_key(&merchant, &id).await?;
        let Some(issued) = read else { return Err(RevokeApiKeyError::NoKey { merchant, key: id }) };
        let now = context.now();
        let revocation = issued.key.revoked(at.unwrap_or(now), now, context.remembered.known_everywhere(now));
        let stands = issued.key.revocation == Some(revocation);
        if stands || context.store.revoke_api_key(&issued, revocation).await? {
            let key = ApiKey { revocation: Some(revocation), ..issued.key };
            let outcome = if stands { "revoked before" } else { "revoked" };
            let done = Done::new(format!("{outcome}: effective at {}", revocation.effective_at));
            let about = Subject::new(&key.id).of(&key.tenant.merchant).done(done);
            return Ok(Answered::new(view::changed(view::api_key(key, None), revocation.effective_at), about));
        }
    }
    Err(RevokeApiKeyError::Overtaken(id))
}
