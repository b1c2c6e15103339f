//! A merchant's key in the gateway's usage plan: it counts the merchant's requests against its rate limit. Merchants
//! never see it; the authorizer names it for each request. docs/decisions/0008 says why each merchant has one, and what
//! to do when an account has no room for more.

#[cfg(test)]
mod tests;

use aws_sdk_apigateway::Client;
use aws_sdk_apigateway::error::{ProvideErrorMetadata, SdkError};
use spillway_domain::id::hex;
use spillway_domain::merchant::{Merchant, Plan};

use crate::runtime::settings::PlanIds;
use crate::runtime::{Context, SettingError, Start};
use crate::store::Store;

/// The most keys of one page.
const PAGE_MAX: i32 = 500;

/// The gateway did not take the key. The merchant is stored by then, and the same request again goes on from there.
#[derive(Debug, thiserror::Error)]
pub enum PlanKeyError {
    /// API Gateway's limit, which it does not raise.
    #[error(
        "The merchant is stored but can't call the API yet: API Gateway takes no more API keys in this account and \
         region, where 10,000 are the most; delete keys of no more use and send the same again, or give the merchant \
         to a deployment in another account or region."
    )]
    NoRoom,
    /// Anything else.
    #[error(
        "The merchant is stored but can't call the API yet, because the gateway does not keep its plan key ({0}); \
         send the same again."
    )]
    Gateway(String),
}

/// A value for a plan key, from 160 random bits: 40 letters and digits, where API Gateway takes 20 to 128.
pub fn new_value(random: [u8; 20]) -> String {
    hex(&random)
}

/// The gateway's plans and keys.
#[derive(Debug)]
pub struct PlanKeys {
    gateway: Client,
    plans: PlanIds,
    /// The table's name, which the keys' names begin with.
    table: String,
}

impl PlanKeys {
    /// Those of the deployment that has the store's table.
    pub fn new(start: &Start<'_>, store: &Store) -> Result<PlanKeys, SettingError> {
        let plans = PlanIds::read(&start.environment)?;
        Ok(PlanKeys { gateway: start.api_gateway()?, plans, table: store.table().to_owned() })
    }
}

/// Puts the merchant's key into its plan, and makes it first where it is missing. However often this is done, by two at
/// once too, and wherever it was cut off before, in the end there is one key and it is in the plan.
pub async fn provide<P: AsRef<PlanKeys>>(context: &Context<P>, merchant: &Merchant) -> Result<(), PlanKeyError> {
    let keys = context.as_ref();
    let plan = match merchant.plan {
        Plan::Standard => &keys.plans.standard,
        Plan::High => &keys.plans.high,
    };
    let gateway = &keys.gateway;
    // For people: deployments share the account's keys, and the same reference names the same merchant in each.
    let name = format!("{} {}", keys.table, merchant.id);
    let id = match find(gateway, Some(&name), &merchant.plan_key).await? {
        Some(id) => id,
        None => create(gateway, &name, &merchant.plan_key).await?,
    };
    let joined = gateway.create_usage_plan_key().usage_plan_id(plan).key_id(id).key_type("API_KEY").send().await;
    match joined {
        Ok(_) => Ok(()),
        // A key is in one plan of a stage at most: in its own already, or where somebody has put it since.
        Err(error) if error.code() == Some("ConflictException") => Ok(()),
        Err(error) => Err(PlanKeyError::from_sdk(&error)),
    }
}

/// Makes the key and gives its id. AWS has no two keys of one value, so that this is the guard against making another:
/// if there is one, another was faster, or it was made under another name, such as that of the table before a restore.
async fn create(gateway: &Client, name: &str, value: &str) -> Result<String, PlanKeyError> {
    let id = match gateway.create_api_key().name(name).value(value).enabled(true).send().await {
        Ok(key) => key.id,
        Err(error) if error.code() == Some("ConflictException") => find(gateway, None, value).await?,
        Err(error) => return Err(PlanKeyError::from_sdk(&error)),
    };
    id.ok_or_else(|| PlanKeyError::Gateway("it tells no id".to_owned()))
}

/// The id of the key with this value, among those whose name is, or begins with, `name`; among all without one.
async fn find(gateway: &Client, name: Option<&str>, value: &str) -> Result<Option<String>, PlanKeyError> {
    let keys = gateway.get_api_keys().set_name_query(name.map(str::to_owned)).include_values(true);
    let mut keys = keys.into_paginator().page_size(PAGE_MAX).items().send();
    while let Some(key) = keys.try_next().await.map_err(|error| PlanKeyError::from_sdk(&error))? {
        if key.value.as_deref() == Some(value) {
            return Ok(key.id);
        }
    }
    Ok(None)
}

impl PlanKeyError {
    fn from_sdk<E: ProvideErrorMetadata>(error: &SdkError<E>) -> PlanKeyError {
        match (error.code(), error.message()) {
            (Some("LimitExceededException"), _) => PlanKeyError::NoRoom,
            (Some(code), Some(message)) => PlanKeyError::Gateway(format!("{code}: {message}")),
            (Some(code), None) => PlanKeyError::Gateway(code.to_owned()),
            (None, _) => PlanKeyError::Gateway("it does not answer".to_owned()),
        }
    }
}
