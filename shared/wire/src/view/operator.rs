//! The views of merchants, API keys and redeliveries, for operators.

use std::collections::BTreeMap;

use serde::Serialize;
use spillway_domain::api_key::{ApiKey, ApiKeySecret, ApiKeyState, Scope};
use spillway_domain::currency::Currency;
use spillway_domain::fee::Pricing;
use spillway_domain::merchant::{Merchant, Plan, Shards};
use spillway_domain::operator::{Operator, OperatorAction};
use spillway_domain::tenant::Mode;
use spillway_domain::time::Timestamp;

/// A merchant. The plan key is not shown.
#[derive(Debug, Serialize)]
pub struct MerchantView {
    id: String,
    object: &'static str,
    reference: String,
    name: String,
    plan: Plan,
    currencies: BTreeMap<Currency, Pricing>,
    settlement_delay_days: u16,
    shards: Shards,
    suspended: bool,
    version: u64,
    created_at: Timestamp,
}

/// The view of a merchant.
pub fn merchant(merchant: Merchant) -> MerchantView {
    MerchantView {
        id: merchant.id.to_string(),
        object: "merchant",
        reference: merchant.reference,
        name: merchant.name,
        plan: merchant.plan,
        currencies: merchant.currencies,
        settlement_delay_days: merchant.settlement_delay_days,
        shards: merchant.shards,
        suspended: merchant.suspended,
        version: merchant.version,
        created_at: merchant.created_at,
    }
}

/// An object that an operator has changed.
#[derive(Debug, Serialize)]
pub struct ChangedView<T> {
    #[serde(flatten)]
    changed: T,
    effective_at: Timestamp,
}

/// The view of an object that an operator has changed. `effective_at`: the time from which every request sees the
/// change.
pub fn changed<T>(changed: T, effective_at: Timestamp) -> ChangedView<T> {
    ChangedView { changed, effective_at }
}

/// An API key.
#[derive(Debug, Serialize)]
pub struct ApiKeyView {
    id: String,
    object: &'static str,
    merchant: String,
    mode: Mode,
    reference: Option<String>,
    scopes: Vec<Scope>,
    state: ApiKeyState,
    expires_at: Option<Timestamp>,
    revoked_at: Option<Timestamp>,
    issued_by: Option<Operator>,
    revoked_by: Option<Operator>,
    created_at: Timestamp,
    #[serde(skip_serializing_if = "Option::is_none")]
    secret: Option<String>,
}

/// The view of an API key. `now`: the time of its state. `secret`: the secret of a new key, which is shown only once
/// because it is not stored.
pub fn api_key(key: ApiKey, now: Timestamp, secret: Option<&ApiKeySecret>) -> ApiKeyView {
    ApiKeyView {
        id: key.id.to_string(),
        object: "api_key",
        merchant: key.tenant.merchant.to_string(),
        mode: key.tenant.mode,
        state: key.state(now),
        reference: key.reference,
        scopes: key.scopes,
        expires_at: key.expires_at,
        revoked_at: key.revocation.map(|revocation| revocation.revoked_at),
        issued_by: key.issued_by,
        revoked_by: key.revoked_by,
        created_at: key.created_at,
        secret: secret.map(|secret| secret.reveal().to_owned()),
    }
}

/// The result of sending deliveries again.
#[derive(Debug, Serialize)]
pub struct RedeliveryView {
    object: &'static str,
    deliveries: BTreeMap<&'static str, u64>,
    continue_since: Option<Timestamp>,
}

/// The view of a redelivery. `deliveries`: their number by result. `continue_since`: the time with which the same
/// request goes on. None if it is complete.
pub fn redelivery(deliveries: BTreeMap<&'static str, u64>, continue_since: Option<Timestamp>) -> RedeliveryView {
    RedeliveryView { object: "redelivery", deliveries, continue_since }
}

/// An operator's action.
#[derive(Debug, Serialize)]
pub struct OperatorActionView {
    object: &'static str,
    merchant: String,
    subject: String,
    operator: Operator,
    outcome: String,
    request_id: String,
    created_at: Timestamp,
}

/// The view of an operator's action.
pub fn operator_action(action: OperatorAction) -> OperatorActionView {
    OperatorActionView {
        object: "operator_action",
        merchant: action.merchant.to_string(),
        subject: action.subject.to_string(),
        operator: action.operator,
        outcome: action.outcome,
        request_id: action.request_id,
        created_at: action.created_at,
    }
}
