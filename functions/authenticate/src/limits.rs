//! The rate limits of the usage plans, which clients see in the header `RateLimit-Policy`. API Gateway enforces them.

use spillway_domain::merchant::Plan;
use spillway_runtime::SettingError;
use spillway_runtime::settings::Environment;

/// The limits of both plans.
#[derive(Debug)]
pub struct Limits {
    standard: PlanLimits,
    high: PlanLimits,
}

/// The limits of a plan by their names in the authorizer's context, each as parameters of `RateLimit-Policy`
/// (draft-ietf-httpapi-ratelimit-headers-10): `q=200;w=2` means 200 requests in 2 seconds.
pub type PlanLimits = [(&'static str, String); 3];

impl Limits {
    /// Reads the limits. Errors if one is missing or no whole number.
    pub fn read(environment: &Environment<'_>) -> Result<Limits, SettingError> {
        let quota = |rate, burst| Ok(quota(environment.number(rate)?, environment.number(burst)?));
        let balance: String = quota("BALANCE_RATE", "BALANCE_BURST")?;
        let plan = |rate, burst, list| -> Result<PlanLimits, SettingError> {
            let (plan, list) = (quota(rate, burst)?, quota(list, list)?);
            Ok([("plan_limit", plan), ("list_limit", list), ("balance_limit", balance.clone())])
        };
        Ok(Limits {
            standard: plan("STANDARD_PLAN_RATE", "STANDARD_PLAN_BURST", "STANDARD_PLAN_LIST_RATE")?,
            high: plan("HIGH_PLAN_RATE", "HIGH_PLAN_BURST", "HIGH_PLAN_LIST_RATE")?,
        })
    }

    /// The limits of a plan.
    pub fn of(&self, plan: Plan) -> &PlanLimits {
        match plan {
            Plan::Standard => &self.standard,
            Plan::High => &self.high,
        }
    }
}

/// The parameters of a token bucket: its size `q`, and the seconds `w` in which it fills. A client that sends at most `q`
/// requests in any `w` seconds is never refused.
fn quota(rate: u32, burst: u32) -> String {
    format!("q={burst};w={}", burst.div_ceil(rate.max(1)).max(1))
}
