//! Plan keys. A plan key is a merchant's key in a usage plan of API Gateway, which counts the merchant's requests
//! against the plan's rate limit. Merchants never see it; the authorizer returns it for each request.
//! docs/decisions/0008 explains why each merchant has one, and what to do when an account has no room for more.

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
/// The longest time of one call of API Gateway. Its management calls are slower than the table's, and no client waits
/// for them.
const CALL_DEADLINE: Duration = Duration::from_secs(8);

/// API Gateway's limit: keys of one page.
const PAGE_MAX: i32 = 500;
/// The upper bound, in milliseconds, of the random wait after the first try, and the largest such bound. The bound
/// doubles with each try. Changes within the same second conflict (AWS Support, quoted in serverless/serverless#12064).
const WAIT_MS: (u32, u32) = (500, 4_000);
/// Milliseconds that must remain until the end of the invocation for another try.
const TRY_MS: i64 = 5_000;

/// Why a merchant has no plan key in its plan. The same request, sent again, continues. Each text ends a sentence.
#[derive(Debug, thiserror::Error)]
pub enum PlanKeyError {
    /// The account has API Gateway's highest number of keys. AWS does not raise this limit.
    #[error(
        "this account and region have 10,000 API keys, which is API Gateway's limit; delete unused keys and send the same \
         request again, or use a deployment in another account or region."
    )]
    NoRoom,
    /// API Gateway was busy with other changes in the same account and region until the invocation's time was up.
    #[error(
        "API Gateway adds one key at a time to the usage plans of an account and region, and was busy with other keys; \
         send the same request again."
    )]
    Busy,
    /// The key is in the other plan, because somebody has moved it there.
    #[error(
        "the merchant's plan key was moved to the other usage plan; delete it there (aws apigateway \
         delete-usage-plan-key) and send the same request again."
    )]
    Moved,
    /// API Gateway refused the key or did not answer.
    #[error("API Gateway did not store its plan key ({0}); send the same request again.")]
    Gateway(String),
}

/// Returns a new value for a plan key: 40 letters and digits from 160 random bits. API Gateway accepts 20 to 128.
pub fn new_value(random: [u8; 20]) -> String {
    hex(&random)
}

/// The ids of the usage plans.
#[derive(Debug, Clone)]
struct PlanIds {
    /// `STANDARD_PLAN_ID`: the plan with the standard rate.
    standard: String,
    /// `HIGH_PLAN_ID`: the plan with the high rate.
    high: String,
}

impl PlanIds {
    /// Reads the settings. Errors if one is missing.
    fn read(environment: &Environment<'_>) -> Result<PlanIds, SettingError> {
        Ok(PlanIds { standard: environment.text("STANDARD_PLAN_ID")?, high: environment.text("HIGH_PLAN_ID")? })
    }
}

/// A client for the plan keys of one deployment.
#[derive(Debug)]
pub struct PlanKeys {
    gateway: Client,
    plans: PlanIds,
    /// The table's name, with which the names of the keys begin.
    table: String,
}

impl PlanKeys {
    /// The plan keys of the deployment with the store's table. Errors if a variable is missing or wrong.
    pub fn new(start: &Start<'_>, store: &Store) -> Result<PlanKeys, SettingError> {
        let plans = PlanIds::read(&start.environment)?;
        let timeouts = TimeoutConfig::builder().operation_timeout(CALL_DEADLINE).build();
        let gateway = config::Builder::from(&start.service(API_GATEWAY)?).timeout_config(timeouts);
        Ok(PlanKeys { gateway: Client::from_conf(gateway.build()), plans, table: store.table().to_owned() })
    }
}

/// Creates the merchant's key if it is missing, and adds it to the merchant's plan. This is idempotent: after repeated,
/// concurrent or interrupted calls, one key exists, and it is in the plan. It tries while API Gateway is busy, until
/// `deadline` is near.
pub async fn provide<P: AsRef<PlanKeys>>(
    context: &Context<P>, merchant: &Merchant, deadline: Timestamp,
) -> Result<(), PlanKeyError> {
    let (mut longest_ms, longest_ms_max) = WAIT_MS;
    loop {
        match try_provide(context.as_ref(), merchant).await {
            Err(PlanKeyError::Busy) => {}
            result => return result,
        }
        let wait_ms = context.random_between(longest_ms / 2, longest_ms);
        if context.now().plus_millis(i64::from(wait_ms) + TRY_MS) > deadline {
            return Err(PlanKeyError::Busy);
        }
        context.sleep(Duration::from_millis(u64::from(wait_ms))).await;
        longest_ms = longest_ms_max.min(longest_ms * 2);
    }
}

/// Tries once. API Gateway answers with a conflict both if the change was made before and if it is busy, and only the
/// error's text differs. So after a conflict this reads whether the change was made.
async fn try_provide(keys: &PlanKeys, merchant: &Merchant) -> Result<(), PlanKeyError> {
    let ids = &keys.plans;
    let (plan, other) = match merchant.plan {
        Plan::Standard => (&ids.standard, &ids.high),
        Plan::High => (&ids.high, &ids.standard),
    };
    let gateway = &keys.gateway;
    // The name contains the table's name for people, because several deployments of an account may have merchants with
    // the same id.
    let name = format!("{} {}", keys.table, merchant.id);
    let value = &merchant.plan_key;
    let id = match find(gateway, Some(&name), value).await? {
        Some(id) => id,
        None => match create(gateway, &name, value).await {
            // Two keys can't have the same value. So a concurrent call has created the key, or the key has another name.
            // For example, its name begins with the name that the table had before a restore.
            Err(PlanKeyError::Busy) => find(gateway, None, value).await?.ok_or(PlanKeyError::Busy)?,
            created => created?,
        },
    };
    match join(gateway, plan, &id).await {
        Err(PlanKeyError::Busy) if is_in(gateway, plan, &id).await? => Ok(()),
        // A key can be in only one plan of a stage.
        Err(PlanKeyError::Busy) if is_in(gateway, other, &id).await? => Err(PlanKeyError::Moved),
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

/// Adds the key with this id to the plan.
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

/// The id of the key with this value. With `name`, only keys whose names begin with it are searched. None if no such
/// key exists.
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
