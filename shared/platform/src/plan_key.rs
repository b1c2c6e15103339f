//! A merchant's key in the gateway's usage plan: it counts the merchant's requests against its rate limit. Merchants
//! never see it; the authorizer names it for each request.

use aws_sdk_apigateway::error::ProvideErrorMetadata as _;
use spillway_domain::id::hex;
use spillway_domain::merchant::{Merchant, Plan};

use crate::runtime::Context;

/// The gateway did not take the key.
#[derive(Debug, thiserror::Error)]
#[error("The gateway can't keep the merchant's plan key: {0}.")]
pub struct PlanKeyError(String);

/// A value for a plan key, from 160 random bits.
pub fn new_value(random: [u8; 20]) -> String {
    hex(&random)
}

/// Makes the key and puts it into the merchant's plan, unless that was done before.
pub async fn provide(context: &Context, merchant: &Merchant) -> Result<(), PlanKeyError> {
    let plan = match merchant.plan {
        Plan::Standard => &context.settings.plan_ids.standard,
        Plan::High => &context.settings.plan_ids.high,
    };
    let gateway = context.gateway();
    // Deployments share the account's keys, and the same reference names the same merchant in each.
    let name = format!("{} {}", context.settings.table, merchant.id);
    let made = gateway.create_api_key().name(&name).value(&merchant.plan_key).enabled(true).send().await;
    let id = match made {
        Ok(key) => key.id,
        Err(error) if error.code() == Some("ConflictException") => {
            let known = gateway.get_api_keys().name_query(&name).include_values(true).send().await;
            let known = known.map_err(|error| PlanKeyError(describe(error.code())))?.items.unwrap_or_default();
            known.into_iter().find(|key| key.value.as_ref() == Some(&merchant.plan_key)).and_then(|key| key.id)
        }
        Err(error) => return Err(PlanKeyError(describe(error.code()))),
    };
    let id = id.ok_or_else(|| PlanKeyError("it has no id".to_owned()))?;
    let joined = gateway.create_usage_plan_key().usage_plan_id(plan).key_id(id).key_type("API_KEY").send().await;
    match joined {
        Ok(_) => Ok(()),
        Err(error) if error.code() == Some("ConflictException") => Ok(()),
        Err(error) => Err(PlanKeyError(describe(error.code()))),
    }
}

fn describe(code: Option<&str>) -> String {
    code.unwrap_or("it does not answer").to_owned()
}
