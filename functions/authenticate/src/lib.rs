//! The gateway's authorizer. It finds the merchant of a request, the scopes of the API key, the plan key and the rate
//! limits.

mod limits;

use std::collections::HashMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use spillway_domain::api_key::{ApiKey, ApiKeySecret};
use spillway_domain::merchant::Merchant;
use spillway_lambda::{Answered, Invocation, UNAUTHORIZED};
use spillway_runtime::{Context, SettingError, Start};
use spillway_store::{Store, StoreError};
use spillway_work::Subject;

use limits::{Limits, PlanLimits};

/// The store, and the limits of the usage plans.
pub struct Parts {
    store: Store,
    limits: Limits,
}

impl spillway_runtime::Parts for Parts {
    fn new(start: &Start<'_>) -> Result<Parts, SettingError> {
        Ok(Parts { store: Store::new(start)?, limits: Limits::read(&start.environment)? })
    }
}

/// The event of a REQUEST authorizer, with the fields that are used.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AuthorizerEvent {
    method_arn: String,
    headers: Option<HashMap<String, String>>,
    multi_value_headers: Option<HashMap<String, Vec<String>>>,
}

/// The answer, which API Gateway caches.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct AuthorizerAnswer {
    principal_id: String,
    policy_document: PolicyDocument,
    context: HashMap<&'static str, String>,
    usage_identifier_key: String,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct PolicyDocument {
    version: &'static str,
    statement: [Statement; 1],
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct Statement {
    action: &'static str,
    effect: &'static str,
    resource: String,
}

/// Why a request is not authorized.
#[derive(Debug, thiserror::Error)]
pub enum AuthenticateError {
    /// The request has no valid API key. API Gateway answers 401.
    #[error("{UNAUTHORIZED}")]
    Unauthorized,
    /// The table failed. API Gateway answers 500.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The API key's merchant does not exist. API Gateway answers 500.
    #[error("the API key's merchant does not exist")]
    MerchantMissing,
}

/// Reads the API key and its merchant strongly. So a new key works at once, and a revoked key stops when the gateway's
/// cached answer ends.
/// Errors if the key is missing, unknown, expired or revoked.
pub async fn handle(
    context: Arc<Context<Parts>>, _: Invocation, event: AuthorizerEvent,
) -> Result<Answered<AuthorizerAnswer>, AuthenticateError> {
    let secret = bearer(&event).ok_or(AuthenticateError::Unauthorized)?;
    let key = context.store.api_key(&secret).await?.ok_or(AuthenticateError::Unauthorized)?;
    if key.ends_at().is_some_and(|end| end <= context.now()) {
        tracing::info!(target: "spillway", key = %key.id, merchant = %key.tenant.merchant, "the API key has ended");
        return Err(AuthenticateError::Unauthorized);
    }
    let merchant = context.store.merchant(&key.tenant.merchant).await?.ok_or(AuthenticateError::MerchantMissing)?;
    let about = Subject::new(&key.id).of(&key.tenant);
    let limits = context.limits.of(merchant.plan);
    Ok(Answered::new(answer(&event.method_arn, &key, merchant, limits), about))
}

/// The secret in the `Authorization` header. None unless the request has exactly one such header, with the scheme
/// `Bearer`.
fn bearer(event: &AuthorizerEvent) -> Option<ApiKeySecret> {
    let is_authorization = |name: &str| name.eq_ignore_ascii_case("authorization");
    let all: Vec<&String> = match &event.multi_value_headers {
        Some(many) if !many.is_empty() => {
            many.iter().filter(|(name, _)| is_authorization(name)).flat_map(|(_, values)| values).collect()
        }
        _ => {
            event.headers.iter().flatten().filter(|(name, _)| is_authorization(name)).map(|(_, value)| value).collect()
        }
    };
    let [header] = all.as_slice() else { return None };
    let (scheme, key) = header.trim().split_once(' ')?;
    if scheme.eq_ignore_ascii_case("bearer") { ApiKeySecret::parse(key.trim()) } else { None }
}

/// Returns a policy for the whole stage, so that the cached answer is right for every route. The endpoints themselves
/// check the scopes.
fn answer(method_arn: &str, key: &ApiKey, merchant: Merchant, limits: &PlanLimits) -> AuthorizerAnswer {
    let stage: Vec<&str> = method_arn.splitn(3, '/').take(2).collect();
    let scopes: Vec<&str> = key.scopes.iter().map(|scope| scope.as_str()).collect();
    let currencies: Vec<&str> = merchant.currencies.keys().map(|currency| currency.code()).collect();
    let mut context = HashMap::from([
        ("merchant", merchant.id.to_string()),
        ("mode", key.tenant.mode.as_str().to_owned()),
        ("scopes", scopes.join(" ")),
        ("expires_at", key.ends_at().map(|end| end.to_string()).unwrap_or_default()),
        ("currencies", currencies.join(",")),
        ("suspended", merchant.suspended.to_string()),
        ("shards", serde_json::to_string(&merchant.shards).unwrap_or_default()),
    ]);
    context.extend(limits.iter().cloned());
    AuthorizerAnswer {
        principal_id: merchant.id.to_string(),
        policy_document: PolicyDocument {
            version: "2012-10-17",
            statement: [Statement {
                action: "execute-api:Invoke",
                effect: "Allow",
                resource: format!("{}/*", stage.join("/")),
            }],
        },
        context,
        usage_identifier_key: merchant.plan_key,
    }
}
