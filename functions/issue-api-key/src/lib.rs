//! Issues an API key of a merchant. An operator invokes this function directly; it has no route.

use std::sync::Arc;

use spillway_domain::api_key::{ApiKey, ApiKeySecret, Scope};
use spillway_domain::id::{ApiKeyId, MerchantId};
use spillway_domain::operator::{Operator, OperatorAction};
use spillway_domain::tenant::{Mode, Tenant};
use spillway_domain::time::Timestamp;
use spillway_lambda::{Answered, Invocation};
use spillway_runtime::Context;
use spillway_store::{Created, StoreError, StoreOnly};
use spillway_wire::view::{self, ApiKeyView};
use spillway_wire::{Fields, FromOperator, OperatorRequest};
use spillway_work::{Outcome, Subject};

const REFERENCE_LENGTH_MAX: usize = 200;

/// The operator's request.
#[derive(Debug)]
pub struct IssueApiKey {
    merchant: MerchantId,
    mode: Mode,
    reference: String,
    scopes: Vec<Scope>,
    expires_at: Option<Timestamp>,
}

impl OperatorRequest for IssueApiKey {
    fn read(fields: &mut Fields) -> Option<IssueApiKey> {
        let merchant = fields.merchant("merchant");
        let mode = fields.parsed("mode", "must be \"test\" or \"live\"", Mode::parse);
        let reference = fields.text("reference", REFERENCE_LENGTH_MAX);
        let scopes: Vec<&str> = Scope::ALL.iter().map(|scope| scope.as_str()).collect();
        let expected = format!("must be one of {}", scopes.join(", "));
        let scopes = fields.list("scopes", Scope::ALL.len(), &expected, Scope::parse);
        let expires_at = fields.optional_time("expires_at");
        Some(IssueApiKey { merchant: merchant?, mode: mode?, reference: reference?, scopes: scopes?, expires_at })
    }
}

/// Why the key can't be issued. Each text is one sentence for the operator.
#[derive(Debug, thiserror::Error)]
pub enum IssueApiKeyError {
    /// The key would never be valid.
    #[error("expires_at has passed.")]
    Expired,
    /// The merchant does not exist.
    #[error("There is no merchant {0}.")]
    NoMerchant(MerchantId),
    /// The reference names a revoked key.
    #[error("The reference names a key that was revoked; use another reference.")]
    Revoked,
    /// The reference names a key with other scopes or another expiry.
    #[error("The reference already names a key with other scopes or another expiry.")]
    ReferenceTaken,
    /// The table failed.
    #[error("The key can't be stored: {0}.")]
    Store(#[from] StoreError),
}

/// Stores the key's hash and returns the key with its secret. A repeated request returns the key without the secret.
pub async fn handle(
    context: Arc<Context<StoreOnly>>, invocation: Invocation, asked: FromOperator<IssueApiKey>,
) -> Result<Answered<ApiKeyView>, IssueApiKeyError> {
    let FromOperator { operator, request } = asked;
    let now = context.now();
    let key = decide(request, &operator, &invocation.request_id, now)?;
    if context.store.merchant(&key.tenant.merchant).await?.is_none() {
        return Err(IssueApiKeyError::NoMerchant(key.tenant.merchant));
    }
    let secret = ApiKeySecret::new(key.tenant.mode, context.random());
    let action = OperatorAction {
        merchant: key.tenant.merchant.clone(),
        subject: key.id.clone().into(),
        operator,
        outcome: outcome("issued", &key),
        request_id: invocation.request_id,
        created_at: now,
    };
    match context.store.create_api_key(&key, &secret, &action).await? {
        Created::New => {
            let about = log_subject(&key, action.outcome);
            Ok(Answered::new(view::api_key(key, now, Some(&secret)), about))
        }
        Created::Existing(first) if first.revocation.is_some() => Err(IssueApiKeyError::Revoked),
        Created::Existing(first) if (&first.scopes, first.expires_at) == (&key.scopes, key.expires_at) => {
            let about = log_subject(&first, outcome("issued before", &first));
            Ok(Answered::new(view::api_key(first, now, None), about))
        }
        Created::Existing(_) => Err(IssueApiKeyError::ReferenceTaken),
    }
}

fn log_subject(key: &ApiKey, outcome: String) -> Subject {
    Subject::new(&key.id).of(&key.tenant).outcome(Outcome::new(outcome))
}

/// The outcome for the log, with mode, scopes and expiry. The reference is left out, because it may be a person's name.
fn outcome(what: &str, key: &ApiKey) -> String {
    let scopes: Vec<&str> = key.scopes.iter().map(|scope| scope.as_str()).collect();
    let until = key.expires_at.map(|expiry| format!(", until {expiry}")).unwrap_or_default();
    format!("{what}: {} mode, {}{until}", key.tenant.mode.as_str(), scopes.join(" "))
}

fn decide(
    request: IssueApiKey, operator: &Operator, request_id: &str, now: Timestamp,
) -> Result<ApiKey, IssueApiKeyError> {
    if request.expires_at.is_some_and(|expiry| expiry <= now) {
        return Err(IssueApiKeyError::Expired);
    }
    let mut scopes = request.scopes;
    scopes.sort_unstable();
    scopes.dedup();
    Ok(ApiKey {
        id: ApiKeyId::derive(&[request.merchant.as_str(), request.mode.as_str(), &request.reference]),
        tenant: Tenant { merchant: request.merchant, mode: request.mode },
        reference: Some(request.reference),
        scopes,
        expires_at: request.expires_at,
        revocation: None,
        issued_by: Some(operator.clone()),
        revoked_by: None,
        request_id: request_id.to_owned(),
        created_at: now,
    })
}
