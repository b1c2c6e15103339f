//! A merchant's key in the gateway's usage plan: it counts the merchant's requests against its rate limit. Merchants
//! never see it; the authorizer names it for each request. docs/decisions/0008 says why each merchant has one, and what
//! to do when an account has no room for more.

#[cfg(test)]
mod tests;

use std::time::Duration;

use aws_sdk_apigateway::config::timeout::TimeoutConfig;
use aws_sdk_apigateway::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_apigateway::{Client, config};
use spillway_domain::id::hex;
use spillway_domain::merchant::{Merchant, Plan};
use spillway_domain::time::Timestamp;

use spillway_runtime::settings::Environment;
use spillway_runtime::{Context, SettingError, Start};
use spillway_store::Store;

/// The variable that replaces API Gateway's address.
const API_GATEWAY: &str = "AWS_ENDPOINT_URL_API_GATEWAY";
/// Time for one call of API Gateway. Its management calls are slower than the table's, and no customer waits for them.
const CALL_DEADLINE: Duration = Duration::from_secs(8);

/// The most keys of one page.
const PAGE_MAX: i32 = 500;
/// The longest wait after the first try, in milliseconds; it doubles with each further try, up to the second number.
/// Changes within the same second already conflict (AWS Support, quoted in serverless/serverless#12064).
const WAIT_MS: (u32, u32) = (500, 4_000);
/// The time that a try must have before the invocation ends, in milliseconds.
const TRY_MS: i64 = 5_000;

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
    /// API Gateway makes few such changes at a time in an account and region, and was busy with others until the
    /// invocation's time was over.
    #[error(
        "The merchant is stored but can't call the API yet: API Gateway adds one key at a time to the usage plans of an \
         account and region, and was busy with others; send the same again."
    )]
    Busy,
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

/// The usage plans of the gateway.
#[derive(Debug, Clone)]
struct PlanIds {
    /// `STANDARD_PLAN_ID`: of the ordinary rate.
    standard: String,
    /// `HIGH_PLAN_ID`: of the raised one.
    high: String,
}

impl PlanIds {
    /// Reads them.
    fn read(environment: &Environment<'_>) -> Result<PlanIds, SettingError> {
        Ok(PlanIds { standard: environment.text("STANDARD_PLAN_ID")?, high: environment.text("HIGH_PLAN_ID")? })
    }
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
        let timeouts = TimeoutConfig::builder().operation_timeout(CALL_DEADLINE).build();
        let gateway = config::Builder::from(&start.service(API_GATEWAY)?).timeout_config(timeouts);
        Ok(PlanKeys { gateway: Client::from_conf(gateway.build()), plans, table: store.table().to_owned() })
    }
}

/// Puts the merchant's key into its plan, and creates the key first where it is missing. However often this is done, by
/// two at once too, and wherever it was cut off before, in the end there is one key and it is in the plan. While API
/// Gateway is busy this tries again, until `deadline` is near.
pub async fn provide<P: AsRef<PlanKeys>>(
    context: &Context<P>, merchant: &Merchant, deadline: Timestamp,
) -> Result<(), PlanKeyError> {
    let (mut longest, most) = WAIT_MS;
    loop {
        match try_provide(context.as_ref(), merchant).await {
            Err(PlanKeyError::Busy) => {}
            done => return done,
        }
        let wait_ms = context.random_between(longest / 2, longest);
        if context.now().plus_millis(i64::from(wait_ms) + TRY_MS) > deadline {
            return Err(PlanKeyError::Busy);
        }
        context.sleep(Duration::from_millis(u64::from(wait_ms))).await;
        longest = most.min(longest * 2);
    }
}

/// A change that API Gateway refuses by a conflict is made already, or API Gateway is busy: only the error's text tells
/// which. So this looks whether it is made.
async fn try_provide(keys: &PlanKeys, merchant: &Merchant) -> Result<(), PlanKeyError> {
    let ids = &keys.plans;
    let (plan, other) = match merchant.plan {
        Plan::Standard => (&ids.standard, &ids.high),
        Plan::High => (&ids.high, &ids.standard),
    };
    let gateway = &keys.gateway;
    // For people: deployments share the account's keys, and the same reference names the same merchant in each.
    let name = format!("{} {}", keys.table, merchant.id);
    let value = &merchant.plan_key;
    let id = match find(gateway, Some(&name), value).await? {
        Some(id) => id,
        None => match create(gateway, &name, value).await {
            // AWS has no two keys of one value: another was faster, or the key has another name, such as that of the
            // table before a restore.
            Err(PlanKeyError::Busy) => find(gateway, None, value).await?.ok_or(PlanKeyError::Busy)?,
            created => created?,
        },
    };
    match join(gateway, plan, &id).await {
        // A key is in one plan of a stage at most: an operator may have moved it to the other plan.
        Err(PlanKeyError::Busy) if is_in(gateway, plan, &id).await? || is_in(gateway, other, &id).await? => Ok(()),
        joined => joined,
    }
}

/// Creates the key and returns its id.
async fn create(gateway: &Client, name: &str, value: &str) -> Result<String, PlanKeyError> {
    let created = gateway.create_api_key().name(name).value(value).enabled(true).send().await;
    let created = created.map_err(|error| match error.code() {
        Some("LimitExceededException") => PlanKeyError::NoRoom,
        _ => PlanKeyError::from_sdk(&error),
    });
    created?.id.ok_or_else(|| PlanKeyError::Gateway("its answer has no id".to_owned()))
}

/// Puts the key with this id into the plan.
async fn join(gateway: &Client, plan: &str, id: &str) -> Result<(), PlanKeyError> {
    let joined = gateway.create_usage_plan_key().usage_plan_id(plan).key_id(id).key_type("API_KEY").send().await;
    joined.map(drop).map_err(|error| PlanKeyError::from_sdk(&error))
}

/// Whether the key with this id is in the plan.
async fn is_in(gateway: &Client, plan: &str, id: &str) -> Result<bool, PlanKeyError> {
    match gateway.get_usage_plan_key().usage_plan_id(plan).key_id(id).send().await {
        Ok(_) => Ok(true),
        Err(error) if error.code() == Some("NotFoundException") => Ok(false),
        Err(error) => Err(PlanKeyError::from_sdk(&error)),
    }
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
            (Some("ConflictException" | "TooManyRequestsException" | "LimitExceededException"), _) => {
                PlanKeyError::Busy
            }
            (Some(code), Some(message)) => PlanKeyError::Gateway(format!("{code}: {message}")),
            (Some(code), None) => PlanKeyError::Gateway(code.to_owned()),
            (None, _) => PlanKeyError::Gateway("it does not answer".to_owned()),
        }
    }
}
