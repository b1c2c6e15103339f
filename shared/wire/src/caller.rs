//! The caller of an endpoint. Only the authorizer's context identifies it, never a header or a body.

use lambda_http::Request;
use spillway_domain::api_key::Scope;
use spillway_domain::currency::Currency;
use spillway_domain::id::MerchantId;
use spillway_domain::merchant::Shards;
use spillway_domain::tenant::{Mode, Tenant};
use spillway_domain::time::Timestamp;

use super::problem::Problem;
use super::request::{authorizer_value, single_header};

/// A merchant's client with a valid API key.
#[derive(Debug, Clone)]
pub struct Caller {
    /// Merchant and mode whose data the caller may access.
    pub tenant: Tenant,
    /// The merchant's currencies.
    pub currencies: Vec<Currency>,
    /// The merchant's shards.
    pub shards: Shards,
    scopes: Vec<Scope>,
    suspended: bool,
}

impl Caller {
    /// Reads the authorizer's context. Errors with 401 if the context is missing or malformed, if the header
    /// `Authorization` is repeated, or if the key has expired since the gateway cached the authorizer's answer.
    pub fn of(request: &Request, now: Timestamp) -> Result<Caller, Problem> {
        // The authorizer refuses a repeated header too. But its answer is cached by the header's value, so it is not
        // always called.
        single_header(request, "authorization", Problem::unauthorized())?;
        let read = |name: &str| authorizer_value(request, name);
        let expires_at = read("expires_at");
        if !expires_at.is_empty() && Timestamp::parse(expires_at).map_or(true, |expiry| expiry <= now) {
            return Err(Problem::unauthorized());
        }
        let merchant = MerchantId::parse(read("merchant")).ok();
        let tenant = merchant.zip(Mode::parse(read("mode"))).map(|(merchant, mode)| Tenant { merchant, mode });
        Ok(Caller {
            tenant: tenant.ok_or_else(Problem::unauthorized)?,
            currencies: read("currencies").split(',').filter_map(|code| Currency::parse(code).ok()).collect(),
            shards: serde_json::from_str(read("shards")).map_err(|_| Problem::unauthorized())?,
            scopes: read("scopes").split(' ').filter_map(Scope::parse).collect(),
            suspended: read("suspended") == "true",
        })
    }

    /// Errors with 403 if the key lacks the scope, or if the scope is a writing one and the merchant is suspended.
    pub fn may(&self, scope: Scope) -> Result<(), Problem> {
        self.may_read(scope)?;
        if self.suspended && scope.writes() { Err(Problem::merchant_suspended()) } else { Ok(()) }
    }

    /// Errors with 403 if the key lacks the scope. This check is for requests that start nothing, so a suspended
    /// merchant passes it.
    pub fn may_read(&self, scope: Scope) -> Result<(), Problem> {
        if self.scopes.contains(&scope) { Ok(()) } else { Err(Problem::insufficient_scope(scope)) }
    }
}
