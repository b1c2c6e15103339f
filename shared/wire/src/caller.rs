//! Who calls: only what the authorizer said counts, never a header or a body.

use lambda_http::Request;
use spillway_domain::api_key::Scope;
use spillway_domain::currency::Currency;
use spillway_domain::id::MerchantId;
use spillway_domain::merchant::Shards;
use spillway_domain::tenant::{Mode, Tenant};
use spillway_domain::time::Timestamp;

use super::problem::Problem;
use super::request::{authorizer_value, single_header};

/// A merchant's program with a valid key.
#[derive(Debug, Clone)]
pub struct Caller {
    /// Whose data it may touch.
    pub tenant: Tenant,
    /// The merchant's currencies.
    pub currencies: Vec<Currency>,
    /// The merchant's shards.
    pub shards: Shards,
    scopes: Vec<Scope>,
    suspended: bool,
}

impl Caller {
    /// Reads the authorizer's context. Its answer is cached, so a key may have expired since: 401 then.
    pub fn of(request: &Request, now: Timestamp) -> Result<Caller, Problem> {
        // The authorizer refuses a repeated header too, but its answer is cached by the header's value.
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

    /// 403 unless the key has the scope, and 403 if it is for starting something and the merchant is suspended.
    pub fn may(&self, scope: Scope) -> Result<(), Problem> {
        self.may_read(scope)?;
        if self.suspended && scope.writes() { Err(Problem::merchant_suspended()) } else { Ok(()) }
    }

    /// 403 unless the key has the scope. For requests that start nothing: a suspended merchant may still read.
    pub fn may_read(&self, scope: Scope) -> Result<(), Problem> {
        if self.scopes.contains(&scope) { Ok(()) } else { Err(Problem::insufficient_scope(scope)) }
    }
}
